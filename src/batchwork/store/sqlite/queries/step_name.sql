select name from step where number = ?

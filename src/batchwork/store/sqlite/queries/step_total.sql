select total from step where number = ?

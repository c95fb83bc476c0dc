select status from step where number = ?

select number from step where run = ?

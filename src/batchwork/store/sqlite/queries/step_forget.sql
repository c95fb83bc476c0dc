delete from step where run = ?

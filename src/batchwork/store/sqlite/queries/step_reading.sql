select reading, reordered from step where number = ?

select reading, reordered from step where number = $1::bigint

update step set reordered = 1 where number = $1::bigint

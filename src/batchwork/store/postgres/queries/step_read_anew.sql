update step set reading = reading + 1 where number = $1::bigint

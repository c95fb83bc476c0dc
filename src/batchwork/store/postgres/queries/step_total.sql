select total from step where number = $1::bigint

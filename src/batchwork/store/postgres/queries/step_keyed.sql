select keyed from step where number = $1::bigint

select name from step where number = $1::bigint

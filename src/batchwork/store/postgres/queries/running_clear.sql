delete from running where step = $1::bigint

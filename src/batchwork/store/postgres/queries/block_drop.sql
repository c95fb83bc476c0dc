delete from block where id = $1::bigint

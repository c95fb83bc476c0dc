delete from claim where step = $1::bigint

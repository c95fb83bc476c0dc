select coalesce(sum(units), 0)::bigint from block where id >= $1::bigint and id < $2::bigint

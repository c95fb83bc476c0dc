delete from block where id >= $1::bigint and id < $2::bigint

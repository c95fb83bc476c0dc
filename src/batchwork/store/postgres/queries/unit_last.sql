select max(id) from unit where id >= $1::bigint and id < $2::bigint

delete from attempt where unit >= $1::bigint and unit < $2::bigint

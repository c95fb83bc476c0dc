delete from log where unit >= $1::bigint and unit < $2::bigint

with forgotten as (delete from member where unit >= $1::bigint and unit < $2::bigint)
delete from unit where id >= $1::bigint and id < $2::bigint

select count(*) from unit where pos is null and id >= $1::bigint and id < $2::bigint and gone is not null

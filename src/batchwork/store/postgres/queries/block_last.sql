-- The id of the last unit in a block, of ids from $1 up to below $2.
select stop - 1 from block where id >= $1::bigint and id < $2::bigint order by id desc limit 1

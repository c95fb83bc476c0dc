-- Of the blocks with units of ids from $1 up to below $2, in their order: a few after the block $3.
select id, units, missing from block
where id >= coalesce((select max(id) from block where id <= $1::bigint), $1::bigint) and id < $2::bigint and stop > $1::bigint
    and id > $3::bigint
order by id limit $4::bigint

-- Whether something is recorded of the units with ids from $1 up to below $2.
select
    exists (select 1 from unit where id >= $1::bigint and id < $2::bigint)
    or exists (select 1 from block where id >= $1::bigint and id < $2::bigint)
    or exists (select 1 from block where id = (select max(id) from block where id < $1::bigint) and stop > $1::bigint)

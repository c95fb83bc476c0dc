-- Batches with ids from $1 up to below $2 whose members are not known to the table yet.
select id, members from unit
where id >= $1::bigint and id < $2::bigint and members is not null
    and not exists (select 1 from member where member.unit = unit.id)
order by id limit $3::bigint

-- Whether something is recorded of the units with ids from ?1 up to below ?2.
select
    exists (select 1 from unit where id >= ?1 and id < ?2)
    or exists (select 1 from block where id >= ?1 and id < ?2)
    or exists (select 1 from block where id = (select max(id) from block where id < ?1) and stop > ?1)

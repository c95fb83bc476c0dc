-- Of the blocks with units of ids from ?1 up to below ?2, in their order.
select id, units, missing, results from block
where id >= coalesce((select max(id) from block where id <= ?1), ?1) and id < ?2 and stop > ?1
order by id

-- Of the blocks with units of ids from ?1 up to below ?2, in their order.
select id, units, missing, started_ms, worker, key_first, key_by, keys, input, results, durations from block
where id >= coalesce((select max(id) from block where id <= ?1), ?1) and id < ?2 and stop > ?1
order by id

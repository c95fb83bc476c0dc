-- Units with ids from $1 up to below $2 by their keys, the first one first, without an index.
select
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, null, null, null, null, null
from unit where id >= $1::bigint and id < $2::bigint and key = any($3::text[])
order by id

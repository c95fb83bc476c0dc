-- The first unit of a key. The bounds are written as numbers, so that the step's index of keys can be used.
select
    id, key, pos, status, attempts, base, doubts, reading, handled, duration_us, started_ms, worker, note,
    null, null, null, null
from unit where key = ? and id >= {first} and id < {last} order by id limit 1

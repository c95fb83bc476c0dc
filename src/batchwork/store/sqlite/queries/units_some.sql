-- Units by their seqs (a JSON list). ?1 is the id of seq 0.
select
    id, key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, members, value, result, failure, handler_failure
from unit where id in (select ?1 + value from json_each(?2)) order by id

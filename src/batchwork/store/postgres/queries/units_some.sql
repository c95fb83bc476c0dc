-- Units by their seqs. $1 is the id of seq 0.
select
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, members, value, result, failure, handler_failure
from unit where id in (select $1::bigint + seq from unnest($2::bigint[]) as part(seq)) order by id

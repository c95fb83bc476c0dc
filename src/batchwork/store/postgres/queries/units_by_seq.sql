-- A page of units whose position is their seq, after id :after.
select
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, members, value, result, failure, handler_failure
from unit where id > :after and id < {last} and pos is not null and {filter}
order by id limit :size

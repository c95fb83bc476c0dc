-- A page of units that have no position, after id :after.
select
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, members, value, result, failure, handler_failure
from unit where pos is null and id > :after and id < {last} and {filter}
order by id limit :size

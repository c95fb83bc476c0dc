-- A page of units in the order of their positions, after position :place and id :after.
select
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, members, value, result, failure, handler_failure
from unit
where id >> 40 = {first}::bigint >> 40 and pos >= :place and (pos, id) > (:place, :after) and {filter}
order by pos, id limit :size

-- A page of units in the order of their positions, after position :place and id :after.
select
    id, key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, members, value, result, failure, handler_failure
from unit {hint} where (pos, id) > (:place, :after) and pos is not null and id >= {first} and id < {last} and {filter}
order by pos, id limit :size

-- Units by their keys (a JSON list), the first one first. The bounds are written as numbers, so that the step's index of
-- keys can be used.
select
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, null, null, null, null, null
from json_each(?) as part cross join unit on unit.key = part.value
where unit.id >= {first} and unit.id < {last}

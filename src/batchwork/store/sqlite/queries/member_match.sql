-- Batches by the keys of their members (a JSON list), the first one first; the member's key stands before the columns of a unit.
select
    member.key, unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker,
    note, gone, null, null, null, null, null
from json_each(?) as part cross join temp.member on member.key = part.value cross join unit on unit.id = member.unit
order by unit.id

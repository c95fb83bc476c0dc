-- Units by their keys, the first one first.
select
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, null, null, null, null, null
from unnest($1::text[]) as part(key)
join unit on unit.id >> 40 = {first}::bigint >> 40
    and hashtextextended(unit.key, 0) = hashtextextended(part.key collate "C", 0) and unit.key = part.key
order by unit.id

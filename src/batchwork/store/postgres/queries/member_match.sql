-- Batches by the keys of their members, the first one first; the member's key stands before the columns of a unit. $2 is the step.
select
    member.key,
    unit.id, unit.key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    gone, null, null, null, null, null
from unnest($1::text[]) as part(key)
join member on member.unit >> 40 = $2::bigint
    and hashtextextended(member.key, 0) = hashtextextended(part.key collate "C", 0) and member.key = part.key
join unit on unit.id = member.unit
order by unit.id

-- Units that succeeded. Columns of id, key, pos, duration_us, members, value, result; attempt, reading, started_ms and worker
-- are the same for all. A final unit is never changed.
insert into unit (id, key, pos, duration_us, members, value, result, status, attempts, reading, started_ms, worker)
select part.*, 2, $8::bigint, $9::bigint, $10::bigint, $11::text
from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[]) as part
on conflict (id) do update set
    pos = excluded.pos,
    duration_us = excluded.duration_us,
    members = coalesce(excluded.members, unit.members),
    value = coalesce(excluded.value, unit.value),
    result = excluded.result,
    status = excluded.status,
    attempts = excluded.attempts,
    reading = excluded.reading,
    started_ms = excluded.started_ms,
    worker = excluded.worker,
    failure = null,
    note = ''
where unit.status < 2

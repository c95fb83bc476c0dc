-- Units that succeeded. ?1 attempt, ?2 reading, ?3 started_ms, ?4 worker are the same for all rows; each row has seven
-- parameters more (id, key, pos, duration_us, members, value, result). A final unit is never changed.
insert into unit (
    id, key, pos, duration_us, members, value, result, status, attempts, reading, started_ms, worker
) values {rows}
on conflict (id) do update set
    pos = excluded.pos,
    duration_us = excluded.duration_us,
    members = coalesce(excluded.members, members),
    value = coalesce(excluded.value, value),
    result = excluded.result,
    status = excluded.status,
    attempts = excluded.attempts,
    reading = excluded.reading,
    started_ms = excluded.started_ms,
    worker = excluded.worker,
    failure = null,
    note = ''
where status < 2

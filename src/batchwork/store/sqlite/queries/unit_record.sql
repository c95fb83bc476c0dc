-- A unit in whatever state. Null leaves what there was; a final unit is never changed.
insert into unit (
    id, key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    members, value, result, failure
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set
    pos = coalesce(excluded.pos, pos),
    status = excluded.status,
    attempts = excluded.attempts,
    base = excluded.base,
    doubts = excluded.doubts,
    due_ms = excluded.due_ms,
    reading = excluded.reading,
    handled = excluded.handled,
    duration_us = excluded.duration_us,
    started_ms = excluded.started_ms,
    worker = excluded.worker,
    note = excluded.note,
    members = coalesce(excluded.members, members),
    value = coalesce(excluded.value, value),
    result = coalesce(excluded.result, result),
    failure = iif(excluded.status = 2, null, coalesce(excluded.failure, failure))
where status < 2

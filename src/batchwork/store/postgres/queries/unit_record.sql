-- Units in whatever state. Null leaves what there was; a final unit is never changed.
insert into unit (
    id, key, pos, status, attempts, base, doubts, due_ms, reading, handled, duration_us, started_ms, worker, note,
    members, value, result, failure
)
select * from unnest(
    $1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
    $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[]
)
on conflict (id) do update set
    pos = coalesce(excluded.pos, unit.pos),
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
    members = coalesce(excluded.members, unit.members),
    value = coalesce(excluded.value, unit.value),
    result = coalesce(excluded.result, unit.result),
    failure = case when excluded.status = 2 then null else coalesce(excluded.failure, unit.failure) end
where unit.status < 2

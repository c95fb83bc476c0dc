insert into running (step, seq, pos, key, attempt, started_ms, worker, stdout, stderr)
select * from unnest(
    $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[]
)
on conflict (step, seq) do update set
    pos = excluded.pos, key = excluded.key, attempt = excluded.attempt, started_ms = excluded.started_ms,
    worker = excluded.worker, stdout = excluded.stdout, stderr = excluded.stderr

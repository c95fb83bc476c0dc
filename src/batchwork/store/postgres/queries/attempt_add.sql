insert into attempt (unit, attempt, failure, started_ms, duration_us, worker)
select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
on conflict (unit, attempt) do nothing

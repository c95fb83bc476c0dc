insert into block (id, stop, units, missing, started_ms, worker, key_first, key_by, keys, input, results, durations)
select * from unnest(
    $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::text[],
    $10::text[], $11::text[], $12::bytea[]
)

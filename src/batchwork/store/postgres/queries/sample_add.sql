insert into sample (
    run, at_ms, cpu_percent, rss_bytes, descriptors, processes, units_per_s, p50_us, p95_us, p99_us
) values (
    $1::text, $2::bigint, $3::float8, $4::bigint, $5::bigint, $6::bigint, $7::float8, $8::bigint, $9::bigint, $10::bigint
)
on conflict (run, at_ms) do update set
    cpu_percent = excluded.cpu_percent, rss_bytes = excluded.rss_bytes, descriptors = excluded.descriptors,
    processes = excluded.processes, units_per_s = excluded.units_per_s, p50_us = excluded.p50_us,
    p95_us = excluded.p95_us, p99_us = excluded.p99_us

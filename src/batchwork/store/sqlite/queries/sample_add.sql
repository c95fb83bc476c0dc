insert or replace into sample (
    run, at_ms, cpu_percent, rss_bytes, descriptors, processes, units_per_s, p50_us, p95_us, p99_us
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

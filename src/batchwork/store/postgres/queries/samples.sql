select at_ms, cpu_percent, rss_bytes, descriptors, processes, units_per_s, p50_us, p95_us, p99_us
from sample where run = $1::text order by at_ms

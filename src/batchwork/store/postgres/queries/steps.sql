select
    number, run, name, ord, status, total, succeeded, failed, skipped, running,
    batch, result, failure, started_ms, duration_ms, stale, note
from step where run = $1::text and ord >= 0 order by ord, number

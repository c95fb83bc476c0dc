select
    number, run, name, ord, status, total, succeeded, failed, skipped,
    batch, result, failure, started_ms, duration_ms, stale, note
from step where run = ? order by ord, number

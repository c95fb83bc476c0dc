update step set
    status = 'pending', total = null, succeeded = 0, failed = 0, skipped = 0, result = null, failure = null,
    started_ms = null, duration_ms = 0, stale = 0, note = null, reading = 0, reordered = 0, keyed = 0
where number = $1::bigint

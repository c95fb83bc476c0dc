select unit, attempt, failure, started_ms, duration_us, worker from attempt where unit = $1::bigint order by attempt

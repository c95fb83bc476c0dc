select unit, attempt, failure, started_ms, duration_us, worker from attempt where unit = ? order by attempt

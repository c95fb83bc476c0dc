insert or ignore into attempt (unit, attempt, failure, started_ms, duration_us, worker) values (?, ?, ?, ?, ?, ?)

insert or replace into running (step, seq, pos, key, attempt, started_ms, worker, stdout, stderr)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)

insert into block (id, units, started_ms, worker, key_first, key_by, keys, input, results, durations)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

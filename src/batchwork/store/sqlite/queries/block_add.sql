insert into block (id, stop, units, missing, started_ms, worker, key_first, key_by, keys, input, results, durations)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

update unit set status = 0, base = attempts, doubts = 0, due_ms = 0, handled = 1, handler_failure = null
where status <> 2 and status = 3 and id >= $1::bigint and id < $2::bigint

-- Of these units (a JSON list of seqs), those that failed. ?1 is the id of seq 0.
update unit set status = 0, base = attempts, doubts = 0, due_ms = 0, handled = 1, handler_failure = null
where status = 3 and id in (select ?1 + value from json_each(?2))

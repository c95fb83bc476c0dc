-- Of these units (a list of seqs), those that failed. $1 is the id of seq 0.
update unit set status = 0, base = attempts, doubts = 0, due_ms = 0, handled = 1, handler_failure = null
where status = 3 and id in (select $1::bigint + seq from unnest($2::bigint[]) as part(seq))

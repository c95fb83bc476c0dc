-- What was last known to run of a step, $1, and is not final. $2 is the id of its seq 0.
select seq, pos, key, running.attempt, running.started_ms, running.worker, stdout, stderr
from running where step = $1::bigint and not exists (
    select 1 from unit where unit.id = $2::bigint + running.seq and unit.status >= 2
)

-- The run that a step belongs to, and whether it is running.
select run.id, run.status from step join run on run.id = step.run where step.number = $1::bigint

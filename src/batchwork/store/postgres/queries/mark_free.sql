-- Ends what the last owner of a run has left open, which would be refused anyway: it may have been stopped for good. In the middle
-- of a pipeline the server does not take it for idle.
select pg_terminate_backend(pg_locks.pid)
from mark
join pg_locks on locktype = 'transactionid' and granted and transactionid = mark.xmax
join pg_stat_activity on pg_stat_activity.pid = pg_locks.pid
where run = $1::text and usename = current_user and pg_locks.pid <> pg_backend_pid()

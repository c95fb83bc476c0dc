-- Nothing is left of who worked on a run that is not there (any more).
with marked as (delete from mark where run = $1::text and not exists (select 1 from run where id = $1::text))
delete from lease where run = $1::text and not exists (select 1 from run where id = $1::text)

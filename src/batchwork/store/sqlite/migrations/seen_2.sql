-- A store of version 2 as one of the current version, for those who only look at it.

create temp view block as
select
    0 as id, 0 as stop, 0 as units, null as missing, 0 as started_ms, '' as worker, null as key_first, null as key_by, null as keys, null as input,
    '' as results, x'' as durations
where false;

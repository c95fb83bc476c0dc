-- A store of version 1 as one of the current version, for those who only look at it.

create temp view unit as
select
    id, key, pos, status, attempts, base, doubts, 0 as due_ms, reading, handled, duration_us, started_ms, worker,
    iif(note like 'gone:%', '', note) as note, members, value, result, failure, handler_failure,
    case note
        when 'gone:pending' then 0
        when 'gone:interrupted' then 1
        when 'gone:succeeded' then 2
        when 'gone:failed' then 3
        when 'gone:skipped' then 4
    end as gone
from main.unit;

create temp view step as
select
    number, run, name, ord, batch, status, total, succeeded, failed, skipped, result, failure, started_ms, duration_ms,
    stale, reading, reordered, 0 as running,
    case
        when note = 'retry' then '{"type":"reopened"}'
        when note = '`when` is false' then '{"type":"when"}'
        when note like 'step `%`, which it refers to, was skipped'
        then json_object('type', 'need', 'step', substr(note, 7, length(note) - 40))
    end as note
from main.step;

create temp view running as
select
    0 as step, 0 as seq, 0 as pos, '' as key, 0 as attempt, 0 as started_ms, '' as worker, '' as stdout, '' as stderr
where false;

create temp view block as
select
    0 as id, 0 as stop, 0 as units, null as missing, 0 as started_ms, '' as worker, null as key_first, null as key_by, null as keys, null as input,
    '' as results, x'' as durations
where false;

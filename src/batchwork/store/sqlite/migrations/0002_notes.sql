alter table unit add column gone integer;

alter table unit add column due_ms integer not null default 0;

update unit set
    gone = case note
        when 'gone:pending' then 0
        when 'gone:interrupted' then 1
        when 'gone:succeeded' then 2
        when 'gone:failed' then 3
        else 4
    end,
    note = ''
where pos is null and note like 'gone:%';

alter table step rename column note to words;

alter table step add column note text;

update step set note = case
    when words = 'retry' then '{"type":"reopened"}'
    when words = '`when` is false' then '{"type":"when"}'
    when words like 'step `%`, which it refers to, was skipped'
    then json_object('type', 'need', 'step', substr(words, 7, length(words) - 40))
end;

alter table step drop column words;

alter table step add column running integer not null default 0;

create table running (
    step integer not null,
    seq integer not null,
    pos integer not null,
    key text not null,
    attempt integer not null,
    started_ms integer not null,
    worker text not null,
    stdout text not null,
    stderr text not null,
    primary key (step, seq)
) strict, without rowid;

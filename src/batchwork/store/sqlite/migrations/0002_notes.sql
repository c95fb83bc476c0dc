alter table unit add column gone integer;

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

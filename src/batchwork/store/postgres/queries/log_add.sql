insert into log (unit, attempt, text) select * from unnest($1::bigint[], $2::bigint[], $3::text[])
on conflict (unit, attempt) do update set text = excluded.text

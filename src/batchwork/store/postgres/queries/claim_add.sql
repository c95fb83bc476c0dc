insert into claim (step, id, attempt, units)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
on conflict (step, id) do update set attempt = excluded.attempt, units = excluded.units

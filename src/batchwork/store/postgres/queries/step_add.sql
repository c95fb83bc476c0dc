insert into step (run, name, ord, batch) select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
on conflict (run, name) do update set ord = excluded.ord, batch = excluded.batch

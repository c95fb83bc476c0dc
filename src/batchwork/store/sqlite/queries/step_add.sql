insert into step (run, name, ord, batch) values (?, ?, ?, ?)
on conflict (run, name) do update set ord = excluded.ord, batch = excluded.batch

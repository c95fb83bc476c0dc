-- The next ownership of a run: waits for the last one's transaction, and all of its later ones are refused.
insert into mark (run, token, commits, epoch) values ($1::text, 0, 0, $2::bigint)
on conflict (run) do update set epoch = excluded.epoch
returning commits

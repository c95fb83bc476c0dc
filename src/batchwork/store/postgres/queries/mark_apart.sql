-- The same for who writes to no run of its own.
insert into mark (run, token, commits, epoch) values ($1::text, $2::bigint, 1, 0)
on conflict (run) do update set token = excluded.token, commits = mark.commits + 1
returning commits

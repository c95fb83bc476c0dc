-- The fence: where another ownership has begun since, or the run is gone, epoch becomes null, which is refused, and with it all
-- that the transaction did. (A condition would only change no row, which is no error.)
insert into mark (run, token, commits, epoch)
values ($1::text, $2::bigint, 1, (select epoch from mark where run = $1::text and epoch = $3::bigint))
on conflict (run) do update set
    token = excluded.token, commits = mark.commits + 1, epoch = case when mark.epoch = $3::bigint then mark.epoch end
returning commits

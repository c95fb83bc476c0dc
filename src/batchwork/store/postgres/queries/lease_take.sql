-- Unless another has it: that is, until its time is over, or where it is known to be dead ($4 is what it had written).
insert into lease (run, owner, epoch, until) values ($1::text, $2::text, 1, clock_timestamp() + make_interval(secs => $3::float8))
on conflict (run) do update set owner = excluded.owner, epoch = lease.epoch + 1, until = excluded.until
where lease.until <= clock_timestamp() or lease.owner = $4::text
returning epoch

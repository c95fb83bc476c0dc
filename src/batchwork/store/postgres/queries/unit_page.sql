select id, key, pos, status, attempts, base, doubts, due_ms from unit
where id > $1::bigint and id < $2::bigint order by id limit $3::bigint

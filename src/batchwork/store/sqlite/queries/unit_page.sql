select id, key, pos, status, attempts, base, doubts, due_ms from unit where id > ? and id < ? order by id limit ?

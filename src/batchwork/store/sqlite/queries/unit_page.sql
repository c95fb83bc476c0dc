select id, key, pos, status, attempts, base, doubts from unit where id > ? and id < ? order by id limit ?

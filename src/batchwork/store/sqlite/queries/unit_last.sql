select max(id) from unit where id >= ? and id < ?

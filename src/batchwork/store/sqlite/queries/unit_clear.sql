delete from unit where id >= ? and id < ?

delete from block where id >= ? and id < ?

select coalesce(sum(units), 0) from block where id >= ? and id < ?

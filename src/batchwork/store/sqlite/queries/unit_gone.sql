select count(*) from unit where pos is null and id >= ? and id < ? and gone is not null

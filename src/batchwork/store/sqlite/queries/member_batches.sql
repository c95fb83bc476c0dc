select id from unit where id >= ? and id < ? and members is not null order by id

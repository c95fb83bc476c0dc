select status, count(*) from unit where id >= ? and id < ? group by status

select pos from unit where id >= {first} and id < {last} and pos is not null order by id desc limit 1

select max(pos) from unit where pos is not null and id >= {first} and id < {last}

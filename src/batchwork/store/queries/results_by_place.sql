select pos, result from unit where pos >= ?1 and pos < ?2 and id >= {first} and id < {last} order by pos, id

select max(pos) from unit {hint} where pos is not null and id >= {first} and id < {last}

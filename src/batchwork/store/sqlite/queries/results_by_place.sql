select pos, case status when 2 then result end from unit {hint} where pos >= ?1 and pos < ?2 and id >= {first} and id < {last} order by pos, id

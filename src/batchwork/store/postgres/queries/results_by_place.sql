select pos, case status when 2 then result end from unit
where id >> 40 = {first}::bigint >> 40 and pos >= $1::bigint and pos < $2::bigint order by pos, id

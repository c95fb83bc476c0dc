select id - $1::bigint, case status when 2 then result end from unit
where id >= $1::bigint + $2::bigint and id < $1::bigint + $3::bigint and pos is not null

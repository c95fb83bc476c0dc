select id, attempt, units from claim where step = $1::bigint order by id

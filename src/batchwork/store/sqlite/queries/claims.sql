select id, attempt, units from claim where step = ? order by id

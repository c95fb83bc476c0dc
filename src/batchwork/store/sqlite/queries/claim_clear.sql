delete from claim where step = ?

delete from claim where step = ? and id = ?

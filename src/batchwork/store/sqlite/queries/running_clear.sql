delete from running where step = ?

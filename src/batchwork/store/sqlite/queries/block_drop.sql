delete from block where id = ?

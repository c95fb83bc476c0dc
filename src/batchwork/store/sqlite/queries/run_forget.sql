delete from run where id = ?

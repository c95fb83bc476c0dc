select status from run where id = ?

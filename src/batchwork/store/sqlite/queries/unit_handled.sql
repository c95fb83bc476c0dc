update unit set handled = 1, handler_failure = ? where id = ?

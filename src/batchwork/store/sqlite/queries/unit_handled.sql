update unit set handled = 1, handler_failure = ?2 where id = ?1

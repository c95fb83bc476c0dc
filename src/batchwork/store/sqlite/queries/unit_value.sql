-- The value of a unit that was recorded without one: a process died before it could say it.
update unit set value = ?2, members = ?3 where id = ?1 and value is null

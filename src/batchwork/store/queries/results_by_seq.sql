select id - ?1, result from unit where id >= ?1 + ?2 and id < ?1 + ?3 and pos is not null

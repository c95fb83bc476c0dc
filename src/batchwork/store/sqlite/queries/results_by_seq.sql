select id - ?1, case status when 2 then result end from unit where id >= ?1 + ?2 and id < ?1 + ?3 and pos is not null

-- A known unit stands at position ?2 in reading ?3; if it was gone, its former status comes back.
update unit set
    pos = ?2,
    reading = ?3,
    status = case note
        when 'gone:pending' then 0
        when 'gone:interrupted' then 1
        when 'gone:succeeded' then 2
        when 'gone:failed' then 3
        else status
    end,
    note = iif(note like 'gone:%', '', note)
where id = ?1

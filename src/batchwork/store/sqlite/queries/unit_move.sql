-- A known unit stands at position ?2 in reading ?3; if it was gone, its former status comes back.
update unit set pos = ?2, reading = ?3, status = coalesce(gone, status), gone = null where id = ?1

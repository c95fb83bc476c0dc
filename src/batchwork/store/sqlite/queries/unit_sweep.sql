-- Units from id ?1 up to below ?2 that reading ?3 did not have are gone.
update unit set
    note = 'gone:' || case status
        when 0 then 'pending' when 1 then 'interrupted' when 2 then 'succeeded' when 3 then 'failed' else 'skipped'
    end,
    status = 4,
    pos = null
where id >= ?1 and id < ?2 and reading <> ?3 and note not like 'gone:%'

-- None where tables are seen through views, because the store is an older one: views have no indexes.
select name from sqlite_schema where type = 'index' and name glob ?
    and not exists (select 1 from temp.sqlite_schema where type = 'view')
order by rowid

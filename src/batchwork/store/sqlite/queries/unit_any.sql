-- Whether there is a row of a unit with an id from ?1 up to below ?2.
select exists (select 1 from unit where id >= ?1 and id < ?2)

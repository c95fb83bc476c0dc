-- Seqs and values of units, by their seqs. $1 is the id of seq 0.
select unit.id - $1::bigint, coalesce(unit.value, unit.key) from unit
where id in (select $1::bigint + seq from unnest($2::bigint[]) as part(seq))

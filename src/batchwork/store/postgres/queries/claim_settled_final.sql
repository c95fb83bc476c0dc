-- Of these units (a list of seqs), those that are final. $1 is the id of seq 0.
select id - $1::bigint from unit
where id in (select $1::bigint + seq from unnest($2::bigint[]) as part(seq)) and status >= 2

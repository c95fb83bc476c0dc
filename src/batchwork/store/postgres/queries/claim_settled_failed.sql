-- Of these units (a list of seqs), those whose attempt $3 has failed. $1 is the id of seq 0.
select unit - $1::bigint from attempt
where unit in (select $1::bigint + seq from unnest($2::bigint[]) as part(seq)) and attempt = $3::bigint

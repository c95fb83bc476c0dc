insert into member (unit, key) select * from unnest($1::bigint[], $2::text[])

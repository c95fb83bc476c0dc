select status, count(*) from unit where id >= $1::bigint and id < $2::bigint group by status

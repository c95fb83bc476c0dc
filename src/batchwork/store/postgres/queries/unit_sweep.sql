-- Units from id $1 up to below $2 that reading $3 did not have are gone.
update unit set gone = status, status = 4, pos = null
where id >= $1::bigint and id < $2::bigint and reading <> $3::bigint and gone is null

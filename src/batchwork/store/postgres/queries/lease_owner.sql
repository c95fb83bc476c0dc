select owner, extract(epoch from until - clock_timestamp())::float8 from lease
where run = $1::text and until > clock_timestamp()

update lease set until = clock_timestamp() + make_interval(secs => $4::float8)
where run = $1::text and owner = $2::text and epoch = $3::bigint

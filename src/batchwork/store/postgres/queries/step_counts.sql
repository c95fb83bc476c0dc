update step set total = $1::bigint, succeeded = $2::bigint, failed = $3::bigint, skipped = $4::bigint, running = $5::bigint
where number = $6::bigint

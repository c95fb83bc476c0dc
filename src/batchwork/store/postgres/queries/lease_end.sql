update lease set until = '-infinity', owner = '' where run = $1::text and owner = $2::text and epoch = $3::bigint

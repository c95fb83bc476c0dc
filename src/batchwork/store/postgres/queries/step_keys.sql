update step set keyed = $2::bigint where number = $1::bigint

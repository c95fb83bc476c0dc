select run, owner from lease where run = any($1::text[]) and until > clock_timestamp()

delete from sample where run = $1::text

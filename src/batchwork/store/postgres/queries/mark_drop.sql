delete from mark where run = $1::text

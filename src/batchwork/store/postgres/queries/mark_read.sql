select token, commits from mark where run = $1::text

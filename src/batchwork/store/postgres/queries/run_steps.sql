select number from step where run = $1::text

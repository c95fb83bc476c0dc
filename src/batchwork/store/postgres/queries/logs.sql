select attempt, text from log where unit = $1::bigint order by attempt

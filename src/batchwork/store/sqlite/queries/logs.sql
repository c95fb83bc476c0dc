select attempt, text from log where unit = ? order by attempt

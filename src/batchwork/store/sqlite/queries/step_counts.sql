update step set total = ?, succeeded = ?, failed = ?, skipped = ?, running = ? where number = ?

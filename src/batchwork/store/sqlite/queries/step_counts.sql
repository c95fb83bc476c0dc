update step set total = ?, succeeded = ?, failed = ?, skipped = ? where number = ?

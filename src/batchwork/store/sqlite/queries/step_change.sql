update step set {column} = ? where number = ?

update run set {column} = ? where id = ?

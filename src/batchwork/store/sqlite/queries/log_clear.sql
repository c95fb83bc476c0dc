delete from log where unit >= ? and unit < ?

delete from attempt where unit >= ? and unit < ?

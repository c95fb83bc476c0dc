delete from sample where run = ?

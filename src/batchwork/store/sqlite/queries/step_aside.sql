-- Steps that the workflow no longer has stay, after all others.
update step set ord = ord + ?2 where run = ?1

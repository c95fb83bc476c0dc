insert or replace into claim (step, id, attempt, units) values (?, ?, ?, ?)

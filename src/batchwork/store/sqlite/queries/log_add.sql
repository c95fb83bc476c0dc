insert or replace into log (unit, attempt, text) values (?, ?, ?)

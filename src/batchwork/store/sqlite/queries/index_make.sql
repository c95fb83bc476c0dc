create index if not exists unit_{column}_{step} on unit ({column}) where id >= {first} and id < {last}

"""The store in a PostgreSQL database: one schema, any number of runs and machines."""

"""The task type `sql`."""

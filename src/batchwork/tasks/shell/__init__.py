"""The task type `shell`: `task` is what is written and checked, `program` what is made of it for each unit."""

"""The task type `http_request`: `task` is what is written and checked, `program` makes the request of each unit."""

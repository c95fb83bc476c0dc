"""The task type `python`: `task` is what is written and checked, `program` what workers are told, `source` reads code."""

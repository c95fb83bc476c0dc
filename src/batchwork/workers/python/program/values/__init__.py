"""Values on their way in and out of a task's code: what it sees beside its item, and what becomes of its result."""

"""`items` and `for_each` in a plan: which source it is, the sources inside of it, and what narrows it."""

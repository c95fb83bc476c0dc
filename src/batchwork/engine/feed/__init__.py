"""Where the units of a step come from: its source, the store, or one laid over the other."""

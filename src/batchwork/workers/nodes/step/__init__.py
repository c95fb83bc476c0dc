"""One step on nodes: which of them gets which units, what they say, what is left of one that is gone."""

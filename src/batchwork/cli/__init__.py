"""The command line: the only place that chooses concrete parts."""

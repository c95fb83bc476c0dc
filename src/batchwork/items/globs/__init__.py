"""Items that are paths found by patterns: what a pattern means, the walk through folders, and the source itself."""

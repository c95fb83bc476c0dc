"""Items made of the items of several sources: every combination, or side by side."""

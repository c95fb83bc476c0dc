"""Whose a run is, and how much of it there should be."""

"""Texts: JSON, patterns, spelling, wording, what is alike."""

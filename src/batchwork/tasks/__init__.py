"""Task types: what may be written for each, and how it becomes a program for workers. Nothing is executed here."""

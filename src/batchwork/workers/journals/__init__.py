"""Journals of workers: where they are made, and what is read in them after a death. How they are written is each program's."""

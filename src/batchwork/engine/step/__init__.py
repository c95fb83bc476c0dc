"""One step: its units through the window, settled, committed, told."""

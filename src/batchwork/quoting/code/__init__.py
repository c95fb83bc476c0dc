"""Words and inputs of commands that are code: for other programs, and for the shell itself. No quoting here."""

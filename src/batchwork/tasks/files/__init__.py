"""Task types that read and write files, and `template`: `task` is what they share, one module for each kind of work."""

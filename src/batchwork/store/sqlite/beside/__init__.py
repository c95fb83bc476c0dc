"""Files that stand beside the database: who works on which run, how far the store had got, the write-ahead log."""

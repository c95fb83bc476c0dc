"""Files that stand beside the database: who works on which run, and how far the store had got."""

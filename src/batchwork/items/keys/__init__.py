"""Keys of items, and telling repeated ones apart in memory that does not grow."""

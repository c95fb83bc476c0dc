"""Files as items: which ones a path names, here or behind URLs, unpacked, decoded, cut into lines. What a line means is its format's."""

"""Item sources, each a stream of JSON values read in pages, and the keys of items. Nothing here knows of stores or workers."""

"""Items: where they come from, how they are read in pages, told apart by keys and grouped. What is done with them is the engine's."""

"""What is to be made of the outcomes of a step, planned: the table of its results, and what is computed of all units."""

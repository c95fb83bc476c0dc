"""What is to be made of the outcomes of a step, planned: the table of its results."""

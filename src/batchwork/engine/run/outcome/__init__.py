"""What is made of the outcomes of a step's units: the file of results, the file of failed items, aggregates."""

"""What is made of the outcomes of a step's units: files of results and of failed items."""

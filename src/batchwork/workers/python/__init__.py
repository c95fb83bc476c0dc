"""Python workers: a lane for each slot, and their program."""

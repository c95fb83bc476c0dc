"""Items that are rows of CSV text: its records, what its columns mean, and the source itself."""

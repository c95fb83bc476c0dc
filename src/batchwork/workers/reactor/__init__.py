"""The reactor: thousands of commands or requests at once, and its program."""

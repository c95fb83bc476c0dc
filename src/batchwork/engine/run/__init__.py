"""One run: started, resumed, retried; its steps in their order; how it ended."""

"""Items that a web service gives page by page: requests, what an answer holds, and where the next page is."""

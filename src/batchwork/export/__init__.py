"""Tables out: what a step gave as rows with columns, written in one of several formats to a file or a URL."""

"""Views: what people see of a run while it runs. Fed with events only."""

"""Who else is told of a run: notifications, the structured log, samples."""

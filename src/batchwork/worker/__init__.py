"""Programs that run in a process of their own, and the frames that they speak. Nothing here is imported by the coordinator but frames."""

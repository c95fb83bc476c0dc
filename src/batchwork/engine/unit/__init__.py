"""One unit: its names and payload, its attempts, its value as stored."""

"""The source of a step: opened, and read ahead."""

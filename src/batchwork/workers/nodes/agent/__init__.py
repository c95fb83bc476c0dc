"""What runs on a node: a supervisor, and under it the agent, in which the executors of this package work."""

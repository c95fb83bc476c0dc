"""The wire between the hub and the agents: messages and frames, connections, the letter that an agent starts with."""

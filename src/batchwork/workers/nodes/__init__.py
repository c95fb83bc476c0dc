"""Work on other machines: the hub here, an agent on each node, the wire between them, and what starts agents."""

"""How a run is stopped: the level, and the signals that raise it."""

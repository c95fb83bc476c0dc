"""The end of the wire where the run is: who is connected, who is a member, who is given up, who is told of it."""

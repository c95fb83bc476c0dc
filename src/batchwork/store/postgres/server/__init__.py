"""The server: where it is, connections to it, what its errors mean, and when it says nothing. No table is known here."""

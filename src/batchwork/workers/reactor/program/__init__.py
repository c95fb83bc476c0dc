"""The program of a reactor, a process of its own."""

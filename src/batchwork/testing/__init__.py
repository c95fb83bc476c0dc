"""Contracts that every implementation of a port must pass, and fakes; published for third parties."""

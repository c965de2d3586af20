"""Bare networks, one model a file; import them from their own modules."""

"""Shared helpers: validation, optional imports, registries, files, random streams."""

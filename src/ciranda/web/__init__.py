"""FACE     HTTP: the API and Git."""

"""FACE     HTTP: the pages, the API and Git."""

"""Ciranda takes a data or machine-learning repository from `git push` to monitored production and back."""

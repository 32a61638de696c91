"""RUNTIME  what lives in the project's interpreter; imports nothing of ours; Python 3.9 syntax."""

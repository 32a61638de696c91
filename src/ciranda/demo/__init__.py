"""FACE     the whole loop played on real flights and judged from outside."""

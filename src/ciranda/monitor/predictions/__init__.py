"""What services predicted and what was said of it later: collected from their spools, kept as tables, joined, and measured."""

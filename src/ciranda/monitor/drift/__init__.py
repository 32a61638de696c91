"""Drift: profiles of tables, and what differs between a reference and a window. Pure but for reading the frame."""

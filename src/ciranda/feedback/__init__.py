"""FEEDBACK notifications, incidents, items, delivery figures, reactions."""

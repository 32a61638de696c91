"""Alerts: rules and objectives measured, what of it is told to people, and what people said to it."""

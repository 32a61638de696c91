"""ACCESS   users, tokens and roles."""

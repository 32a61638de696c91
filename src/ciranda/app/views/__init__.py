"""What people see of several rooms at once."""

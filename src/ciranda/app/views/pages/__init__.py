"""What the pages show: views over several rooms, as frozen records."""

"""APP      the composition root: opens the home, builds the rooms, wires them."""

"""The judge of a canary: counts in, an outcome and its evidence out. Pure; only the standard library."""

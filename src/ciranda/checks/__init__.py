"""TEST     policy, verdicts and the gate."""

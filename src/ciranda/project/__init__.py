"""PLAN     what the team declares: ciranda.toml and configuration layers."""

"""OPERATE  keeper, supervisor, gateway, health, logs."""

"""MONITOR  metrics, predictions, drift, alerts, and the judge of a rollout."""

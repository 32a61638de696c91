"""Samples of metrics over time: kept in a file of the home, or asked of a Prometheus."""

"""What others read and are sent: rules and scrapes for Prometheus, dashboards for Grafana, metrics by OTLP and DogStatsD."""

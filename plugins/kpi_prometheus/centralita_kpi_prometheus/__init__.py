"""The figures of Centralita for Prometheus."""

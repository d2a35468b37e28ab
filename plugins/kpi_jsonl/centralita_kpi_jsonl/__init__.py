"""The events and figures of Centralita as lines of JSON."""

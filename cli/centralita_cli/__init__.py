"""The command line of Centralita."""

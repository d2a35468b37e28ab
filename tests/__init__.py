"""The tests; a package, since some wheels install a top-level `tests` of their own."""

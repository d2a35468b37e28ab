"""The compiled matching queue."""

__all__ = ["version"]

def version() -> str: ...

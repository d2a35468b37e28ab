"""What a torture finds: a rule that does not hold, and where to look for it."""

from __future__ import annotations


class Violation(AssertionError):
    """A rule did not hold. `rule` is one of the headings of docs/torture.md, `detail` says with what."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail

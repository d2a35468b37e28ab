"""`make theory`: every case for longer, a line a figure, and one JSON line at the end with all of them.

    python -m theory.long [FACTOR]        (in the folder `tests`; 10 when not given)

Ends with 1 when a figure is further off than the bound of `test_engine.py`. Both cores of the machine are
used: a case is a process of its own.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

from .cases import CASES
from .estimates import Found
from .test_engine import Z_MAX


def main() -> None:
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    rows: list[Found] = []
    with ProcessPoolExecutor() as pool:
        for found in pool.map(_run, range(len(CASES)), [factor] * len(CASES)):
            for one in found:
                print(
                    f"{one.case:45} {one.figure:32} exact {one.exact:12.6f}  ours {one.ours:12.6f}"
                    f"  error {one.error:9.6f}  z {one.z:6.2f}",
                    flush=True,
                )
            rows += found
    worst = max(rows, key=lambda one: abs(one.z))
    print(f"{len(rows)} figures; the furthest off: {worst.case}, {worst.figure}, z {worst.z:.2f}")
    print(
        json.dumps(
            {"factor": factor, "z_max": Z_MAX, "figures": [{**asdict(one), "z": one.z} for one in rows]}
        )
    )
    sys.exit(any(abs(one.z) > Z_MAX for one in rows))


def _run(case: int, factor: float) -> list[Found]:
    return list(CASES[case](factor))


if __name__ == "__main__":
    main()

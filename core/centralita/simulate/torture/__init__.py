"""A centre under torture: engine, journal and model plugins in virtual time, driven by one seed through every fault.

`run.py` lives days (`day.py`) whose centre (`centre.py`), people (`people.py`), plugins (`edge.py`) and disk
(`disk.py`) come from the seed, ends each of them (`evening.py`), and holds the engine after every step
(`checks.py`) against books kept from the events alone (`books.py`). What breaks is made short (`shrink.py`).
docs/torture.md says what is simulated and what must hold.
"""

from centralita.simulate.torture.run import Found, Report, torture

__all__ = ["Found", "Report", "torture"]

"""Virtual time: the engine the daemon runs, driven by recorded or modelled customers and agents."""

from centralita.simulate.drive import Drive
from centralita.simulate.replay import Comparison, replay

__all__ = ["Comparison", "Drive", "replay"]

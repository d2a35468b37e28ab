"""Virtual time: the engine the daemon runs, driven by recorded or modelled customers and agents.

from centralita import simulate

scenario = simulate.load(Path("centre.toml"))
found = simulate.run(scenario, seed=1)
found.waits_ns(queue="sales")
"""

from centralita.simulate.drive import Drive
from centralita.simulate.outcome import Row, Run
from centralita.simulate.recorder import Recorder
from centralita.simulate.replay import Comparison, replay
from centralita.simulate.scenario import Scenario
from centralita.simulate.scenario_file import load, loads
from centralita.simulate.world import run

__all__ = ["Comparison", "Drive", "Recorder", "Row", "Run", "Scenario", "load", "loads", "replay", "run"]

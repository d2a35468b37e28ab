"""Figures printed by others, with where they stand: what the formulas here are checked against first."""

from __future__ import annotations

from typing import Final

ERLANG_B_LOAD_AT_ONE_PER_CENT: Final = {5: 1.361, 10: 4.461, 20: 12.03, 50: 37.90, 100: 84.06}
"""The load at which so many lines lose 1 %: the usual Erlang B tables, four digits."""

WHITT_2005: Final = {
    # W. Whitt, "Engineering Solution of a Basic Call-Center Model", Management Science 51 (2005):
    # M/GI/100/200+GI, 102 arrivals a mean service. Exact rows.
    "patience exponential, mean 1": {
        "P(W=0)": 0.4083, "P(A)": 0.0499, "E[Q]": 5.092, "E[W|S]": 0.049, "E[W|A]": 0.0666,
        "P(W<=.1|S)": 0.7986, "P(W<=.2|S)": 0.9644,
    },
    "patience exponential, mean 4": {
        "P(W=0)": 0.226, "P(A)": 0.0364, "E[Q]": 14.84, "E[W|S]": 0.1455, "E[W|A]": 0.1429,
        "P(W<=.1|S)": 0.4688, "P(W<=.2|S)": 0.6865,
    },
}  # fmt: skip

WHITT_2005_SIMULATED: Final = {
    # The same paper's simulated rows: value, 95 % half-width (10 runs of 5 million arrivals).
    "service exponential, patience Erlang-2": {
        "P(W=0)": (0.246, 0.002), "P(A)": (0.0378, 0.00032), "E[Q]": (11.75, 0.075),
        "E[W|S]": (0.1133, 0.00072), "P(W<=.1|S)": (0.52, 0.0026),
    },
    "service exponential, patience lognormal": {
        "P(W=0)": (0.242, 0.0026), "P(A)": (0.0376, 0.00032), "E[Q]": (11.42, 0.071),
        "E[W|S]": (0.1094, 0.00067), "P(W<=.1|S)": (0.518, 0.0028),
    },
    "service Erlang-2, patience Erlang-2": {
        "P(W=0)": (0.217, 0.0021), "P(A)": (0.0351, 0.00029), "E[Q]": (11.52, 0.075),
        "E[W|S]": (0.1115, 0.00071), "P(W<=.1|S)": (0.51, 0.003),
    },
    "service constant, patience Erlang-2": {
        "P(W=0)": (0.18, 0.0013), "P(A)": (0.0309, 0.00017), "E[Q]": (11.08, 0.042),
        "E[W|S]": (0.1078, 0.00038), "P(W<=.1|S)": (0.501, 0.0018),
    },
}  # fmt: skip

GARNETT_2002: Final = {"P(wait)": 0.467774, "P(abandon)": 0.0309122, "E[queue]": 2.967576, "wait_s": 3.709}
"""Garnett, Mandelbaum and Reiman, "Designing a Call Center with Impatient Customers", Manufacturing &
Service Operations Management 4 (2002): 48 a minute, 1 minute each, 50 agents, patience 2 minutes."""

CONTACT_CENTERS: Final = {
    # umontreal-simul/contactcenters at f5ddb4a, doc/examples/*.res, Apache-2.0: 4.2 a minute, 2 minutes
    # each, 12 agents, 480 minutes from empty, target 20 s; 95 % intervals over 1000 days. MMCAb: patience
    # 1 minute. MMCBlocked: five may wait.
    "MMC": {"in_target": (1812.618, 1819.698), "service_level": (0.9, 0.904), "asa_min": (0.097, 0.102)},
    "MMCAb": {
        "abandoned": (57.66, 59.558), "in_target": (1903.785, 1908.231), "of_patient": (0.968, 0.969),
        "asa_min": (0.023, 0.024),
    },
    "MMCBlocked": {
        "blocked": (18.045, 19.265), "in_target": (1851.667, 1856.901), "service_level": (0.928, 0.93),
        "asa_min": (0.059, 0.061),
    },
}  # fmt: skip

PRIORITIES: Final = (0.0511475188, 0.1022950377, 0.4091801508)
"""Cobham's formula for arrival rates 2, 3, 3, service rate 1, ten agents; computed independently."""
FIRST_COME: Final = 0.2045901
"""The same, first come first served."""
ACCUMULATING: Final = (0.1120374222, 0.1786103834, 0.2922715363)
"""Kleinrock's formula for the same with rates of gaining priority 4, 2, 1."""

PRODUCT_FORM: Final = {
    # Arrival rates .9, .5, .8; service rates 1, .8, 1.2, .6; skills {0,1}, {1,2}, {0,2,3} of the classes;
    # computed independently of the formulas here.
    "P(wait)": (0.5396118837, 0.4190170792, 0.2716175376),
    "wait": (0.6856718852, 0.3875254555, 0.205339757),
    "busy": (0.673063496, 0.7107785785, 0.5311201022, 0.5349491976),
}  # fmt: skip

OVERFLOW_LOSS: Final = 0.0442745073
"""Two pools of seven and four shared agents, load 6 each, nobody waits; a Markov chain solved elsewhere."""

NINETY_AGENTS: Final = {
    # M/M/90 with 30 places to wait, load 84, service 10 minutes.
    "P(blocked)": 0.00364307607, "P(wait)": 0.3797055546, "wait_min": 0.450022761, "within half a minute": 0.7329222773,
}  # fmt: skip

SIX_POOLS: Final = (0.041319, 0.00039, 3.02985, 0.01195, 0.572836, 0.00083)
"""Six types of 1.4 a minute, 10 minutes each, fifteen agents each, 120 lines together: P(blocked), mean wait in
minutes, P(wait), each with its standard error. Not published: the mean of `loss.six_pools(seed, 500_000)` for seeds 1
to 12. (The simulation that the next figures are from says .0344, 2.89 and .575, which this chain does not bear out.)"""

TWO_SKILLS: Final = (0.0043, 0.0001, 0.593, 0.004, 0.425, 0.001)
"""The same ninety agents with two skills each, after Wallace and Whitt, "A Staffing Algorithm for Call Centers
with Skill-Based Routing", Manufacturing & Service Operations Management 7 (2005): an independent simulation
whose agents take their own skills in order."""

THREE_SKILLS: Final = (0.0038, 0.0001, 0.488, 0.006, 0.393, 0.001)
"""The same simulation with three skills each."""

"""Writes docs/states.md from the tables in `core/centralita/state.py`: `python tools/diagrams.py`.

A test holds the file and the tables together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from centralita.state import CONTACT_TRANSITIONS, STATUS_TRANSITIONS

PAGE: Final = Path(__file__).parents[1] / "docs" / "states.md"

INTRODUCTION: Final = """# States

Written by `python tools/diagrams.py` from the tables in `core/centralita/state.py`; a test holds both together.
An event in a phase that has no entry is `InvalidTransition`: a bug, never something that a customer did.

## The life of a contact

Only the events that lead from one phase to another are drawn; the table below has all.
"""

DEADLINES: Final = """
## Every wait has an end

| who waits | for what | until | then | set by |
|---|---|---|---|---|
| contact, `identifying` | a CRM's answer | `limits.identify_s` | goes on unknown | `Contact.deadline_ns` |
| contact, `classifying` | a classifier's answer | `limits.classify_s` | goes on as its channel left it | `Contact.deadline_ns` |
| contact, `self_service` | the bot's or the customer's next word | `limits.bot_turn_s` after the last | goes to a person | `Contact.deadline_ns` |
| contact, `waiting` | an agent | the queue's `max_wait_s`, if set; its channel, which reconciles | `when_waited` | `Contact.deadline_ns` |
| contact, `waiting`, a callback | the agreed moment | the moment | stands in line at its place | `Contact.due_ns` |
| contact, `waiting`, preferring an agent | that agent | the queue's `prefer_for_s`, or the agent's sign-out | anybody eligible | the matching queue |
| contact, `waiting`, declined | the same agent again | the queue's `ask_again_s` | may be asked again | `Contact.excluded` |
| agent, `offered` | the agent's answer | the queue's `offer_s` | `no_answer` of the queue | `Work.deadline_ns` |
| agent, `connecting` | the channel's report | the queue's `connect_s` | back to its place (a callback is tried again) | `Work.deadline_ns` |
| contact, `connected` | anybody's word | `limits.silence_s`; its channel, which reconciles | the conversation is over | `Contact.deadline_ns` |
| contact, `on_hold` | the agent | `limits.hold_s` | the line opens again | `Contact.deadline_ns` |
| agent, `wrapping` | the agent's after-work | the queue's `wrap_up_s`, extended up to `wrap_up_max_s` | free | `Work.deadline_ns` |
| agent, lost | the desk | `limits.grace_s` | live contacts return to their place | `Agent.grace_until_ns` |
| agent, leaving | the last work in hand | the deadlines of that work | signed out | |
| ask | a component's answer | the ask's time limit in the runner | the failing answer is given for it | `runner/asks.py` |

Every one of these but the last is a field of the state, so a recovered engine has them all; time that passed while the
process was down has passed.

At the edge, nothing waits for good either. These are constants of the code; what an operator may set is on the page named.

| who waits | for what | until | then | set by |
|---|---|---|---|---|
| the start | a component's word that it runs | 30 s | it has crashed, and is started again | `supervise.START_S` |
| a crashed component | its next life | 0.5 s, doubling up to 60 s, half more or less | it is started; up for 60 s, it begins anew with 0.5 s | `supervise.FIRST_DELAY_S`, `supervise.LONGEST_DELAY_S`, `supervise.STABLE_S` |
| a channel's lane | `send`, `disconnect`, `hold`, `join`, `part`, `announce`, `signal` | 10 s | the call is cut off; three in a row are a hang | `channels.CALL_S`, `supervise.HANGS_MAX` |
| a message to a live contact | a channel that takes it | 0.5 s, doubling up to 30 s, as long as the contact lives | four tries once it is over | `channels.RETRY_FIRST_S`, `channels.RETRY_LONGEST_S`, `channels.TRIES_AFTER_END_MAX` |
| an agent's lane | a desk's `offer`, `withdraw`, `update` | 5 s | an offer that can't be shown: the agent counts as lost | `desks.CALL_S` |
| a sink or CRM | its own `write` of a batch | 60 s | it has crashed, and is fed again from its position | `followers.WRITE_S` |
| a look at the history | a CRM | 5 s | without its answer | `switchboard.HISTORY_S` |
| the stop | what was asked; followers; components' ends | 5 s; 10 s; 5 s | goes on without, and names who | `service.STOP_ASKS_S`, `service.STOP_FOLLOW_S`, `service.STOP_PART_S` |
| a request, a page, a desk's window | a whole head, a body, a frame, a reader | the front door's `limits` | answered or closed, with a code | docs/http.md |
| a web chat's contact | its page, when it is gone | the channel's `grace_s` | the contact is abandoned | docs/webchat.md |
"""


def page() -> str:
    """The whole of docs/states.md."""
    return INTRODUCTION + _diagram() + _table() + _statuses() + DEADLINES


def _diagram() -> str:
    arrows: dict[tuple[str, str], list[str]] = {}
    for event, moves in CONTACT_TRANSITIONS.items():
        for origin, target in moves.items():
            if origin != target and not (target == "ended" and origin not in ("waiting", "wrapping")):
                arrows.setdefault((origin, target), []).append(event.__name__)
    lines = [f"    {origin} --> {target}: {', '.join(names)}" for (origin, target), names in arrows.items()]
    return "\n".join(
        ["\n```mermaid", "stateDiagram-v2", "    [*] --> arrived: ContactAdmitted", *lines, "```\n"]
    )


def _table() -> str:
    rows = ["\n| event | comes in | leads to |\n|---|---|---|\n"]
    for event, moves in CONTACT_TRANSITIONS.items():
        targets = sorted({target for origin, target in moves.items() if origin != target})
        rows.append(f"| {event.__name__} | {', '.join(moves)} | {', '.join(targets) or 'the same phase'} |\n")
    return "".join(rows)


def _statuses() -> str:
    lines = [
        f"    {origin} --> {target}" for origin, targets in STATUS_TRANSITIONS.items() for target in targets
    ]
    drawn = "\n".join(line for line in lines if line.split(" --> ")[0].strip() != line.split(" --> ")[1])
    return (
        "\n## An agent's status\n\nThe status is chosen; the state (offline, break, lost, idle, offered, connected, wrapping,"
        " full) is computed from the works in hand by `state.agent_state`.\n"
        f"\n```mermaid\nstateDiagram-v2\n    [*] --> offline\n{drawn}\n```\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

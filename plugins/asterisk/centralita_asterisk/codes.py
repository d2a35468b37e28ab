"""What an agent dials on the phone to be here, on a break, or gone: `Stasis(centralita,agent,${EXTEN})`.

Who it is says the phone itself. With a persistent desk the phone that has dialled stays off the hook.
"""

from __future__ import annotations

from centralita.messages import AnyCommand, SetStatus, SignIn, SignOut
from centralita_asterisk.ari import Channel
from centralita_asterisk.calls import Leg
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.server import Server
from centralita_asterisk.speaking import speak_to_agent

DONE = "sound:auth-thankyou"
UNKNOWN = "sound:im-sorry"


class Codes:
    """Codes that agents dial."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def dialled(self, server: Server, channel: Channel, code: str) -> None:
        """Do what the code says, tell the agent whether it was done, and hang up or keep the line."""
        exchange = self._exchange
        agent = exchange.agent_of_phone(server, channel.name)
        await server.ask("POST", f"channels/{channel.id}/answer", known=(404, 409, 412))
        desk = next(
            (
                (name, settings)
                for name, settings in exchange.desks.items()
                if code in (settings.code_available, settings.code_break, settings.code_sign_out)
                and (not settings.agents or agent in settings.agents)
            ),
            None,
        )
        if not agent or desk is None:
            exchange.log.warning("code_unknown", code=code[:20], phone=channel.name.rpartition("-")[0])
            await self._say_and_hang_up(server, channel, UNKNOWN)
            return
        name, settings = desk
        keeps = settings.persistent and code == settings.code_available
        if keeps:
            leg = Leg(channel.id, agent, server, contact=0)
            leg.kept = True
            leg.up()
            exchange.calls.add_leg(leg)
        commands: list[AnyCommand] = []
        if code == settings.code_sign_out:
            commands.append(SignOut(agent=agent, by="phone"))
        else:
            status = "break" if code == settings.code_break else "available"
            commands.append(SignIn(agent=agent, desk=name, status=status))  # type: ignore[arg-type]  # one of both
            commands.append(SetStatus(agent=agent, status=status, by="phone"))  # type: ignore[arg-type]  # the same
        refusal = None
        for command in commands:
            outcome = await exchange.submit(command)
            refusal = outcome.refusal if outcome is not None else None
        if not keeps:
            await self._say_and_hang_up(server, channel, UNKNOWN if refusal is not None else DONE)

    async def _say_and_hang_up(self, server: Server, channel: Channel, sound: str) -> None:
        exchange = self._exchange
        leg = Leg(channel.id, "", server, contact=0)
        await speak_to_agent(exchange, leg, (sound,))
        await server.ask("DELETE", f"channels/{channel.id}", known=(404,))

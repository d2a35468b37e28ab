"""What the telephone servers tell: each event to whoever it concerns.

It knows whose a channel is, and by what one that nobody has begun has come; what is then done is known elsewhere, and
done beside: events come in order, and the next is not kept waiting.
"""

from __future__ import annotations

from centralita_asterisk import ari
from centralita_asterisk.ari import AnyEvent, Request
from centralita_asterisk.codes import Codes
from centralita_asterisk.controls import Controls
from centralita_asterisk.devices import device_changed
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.hearing import WORD
from centralita_asterisk.incoming import Incoming
from centralita_asterisk.phones import Phones
from centralita_asterisk.server import Server
from centralita_asterisk.waiting import Waiting


class ServerEvents:
    """What is done about events of all servers of a channel."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        phones: Phones,
        incoming: Incoming,
        waiting: Waiting,
        controls: Controls,
    ) -> None:
        self._exchange = exchange
        self._phones = phones
        self._incoming = incoming
        self._waiting = waiting
        self._controls = controls
        self._codes = Codes(exchange)

    def happened(self, server: Server, event: AnyEvent) -> None:
        """An event of a server: begin what is to be done about it, and do not wait."""
        exchange = self._exchange
        calls, start = exchange.calls, exchange.start
        match event:
            case ari.StasisStart():
                self._started(server, event)
            case ari.ChannelDestroyed():
                exchange.hearing.ended(event.channel.id)
                self.gone(server, event.channel.id, event.cause)
            case ari.StasisEnd():
                # A channel that has not been ours yet only ends once.
                if (leg := calls.leg_on(server, event.channel.id)) is None or leg.state == "up":
                    self.gone(server, event.channel.id, 0)
            case ari.PlaybackFinished():
                if (playing := exchange.playbacks.get(event.playback.id)) is not None:
                    playing.end(failed=event.playback.state == "failed")
            case ari.ChannelDtmfReceived():
                if (call := calls.call_on(server, event.channel.id)) is not None and call.up:
                    start(self._waiting.key, call, event.digit)
            case ari.RecordingFinished() | ari.RecordingFailed():
                start(exchange.recordings.ended, server, event.recording)
            case ari.DeviceStateChanged():
                exchange.devices.tell(server.name, event.device_state.name, event.device_state.state)
                start(device_changed, exchange, server, event.device_state.name)
            case _:
                pass

    def gone(self, server: Server, id: str, cause: int = 0) -> None:
        """A channel is over: whose was it?"""
        exchange = self._exchange
        calls, start = exchange.calls, exchange.start
        start(exchange.outside.left, server, id)
        if (leg := calls.leg_on(server, id)) is not None:
            start(self._phones.ended, leg, cause)
        elif (dialled := calls.dialled.get(id)) is not None:
            dialled.gone(cause)
        elif (call := calls.call_on(server, id)) is not None and call.up:
            start(self._incoming.gone, call)
        elif id.startswith(f"{server.app}-snoop-"):
            start(self._controls.deaf, id)

    def _started(self, server: Server, event: ari.StasisStart) -> None:
        exchange = self._exchange
        calls, channel, start = exchange.calls, event.channel, exchange.start
        if (leg := calls.leg_on(server, channel.id)) is not None:
            leg.up()
            start(self._phones.answered, leg)
        elif (dialled := calls.dialled.get(channel.id)) is not None:
            if (call := calls.call_on(server, channel.id)) is not None:
                call.up = call.answered = True
            dialled.up()
        elif (there := exchange.snoops.get(channel.id)) is not None:
            there.set()
        elif event.args[:1] == ("agent",):
            start(self._codes.dialled, server, channel, "".join(event.args[1:2]))
        elif event.args[:1] == (WORD,) and exchange.hearing.came(channel.id):
            pass
        elif event.args[:1] not in (("leg",), ("customer",), ("snoop",), (WORD,)):
            start(self._incoming.arrived, server, channel, event.args)
        else:
            start(self._hang_up, server, channel.id)

    async def _hang_up(self, server: Server, channel: str) -> None:
        await self._exchange.end(server, [Request("DELETE", f"channels/{channel}", known=(404,))])

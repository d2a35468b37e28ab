"""The sink: folds every record into figures of its own and shows them at GET /metrics.

Figures and position are one thing here, since a fold knows its last record. They are put away together, in
one file, every `save_every_s` and at the end; after a crash the sink goes on from the last file and is
fed the rest again from the journal, so a counter neither misses nor doubles anything. Prometheus sees
such a restart as counters that stand still for a moment, not as a reset.

What the figures mean is the engine's (`docs/figures.md`), how Prometheus wants them is `exposition.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import trio
from litestar import Request, Response, get
from msgspec import Meta
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from centralita.kpi import Figures
from centralita.messages import Record
from centralita.protocols import Context, Inbox
from centralita.structs import Frozen
from centralita_kpi_prometheus.exposition import FiguresCollector
from centralita_kpi_prometheus.state_file import read_state, write_state

LAST_SAVE_S: Final = 10.0
"""How long putting the figures away at the end may take; what is not saved is fed again."""

STATE_FILE: Final = "figures.state"
_CHARSET: Final = "; charset=utf-8"


class Settings(Frozen, forbid_unknown_fields=True):
    """`by_agent` false leaves out what would single out a person, by name."""

    save_every_s: Annotated[float, Meta(ge=1, le=3600)] = 10
    by_agent: bool = True
    path: Annotated[str, Meta(pattern=r"^/[a-z0-9/_-]+$")] = "/metrics"


class PrometheusSink:
    """A `KpiSink` that also brings a route."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._name = context.name
        self._log = context.log
        self._clock = context.clock
        self._file = context.data / STATE_FILE
        self._figures = Figures()
        self._saved_seq = -1
        self._loaded = False
        self._loading = trio.Lock()

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Put the figures away from time to time, until cancelled and once more then."""
        # Each life begins from the file: what is in memory may be half of a batch that failed.
        self._loaded = False
        await self._be_loaded()
        task_status.started()
        try:
            while True:
                await trio.sleep(self._settings.save_every_s)
                await self._save()
        finally:
            with trio.move_on_after(LAST_SAVE_S, shield=True):
                await self._save()

    async def position(self) -> int:
        """The last record folded."""
        await self._be_loaded()
        return self._figures.seq

    async def write(self, batch: Sequence[Record]) -> None:
        """Fold what is new of the batch. Raises ValueError when records are missing before it.

        Who has nothing yet may begin anywhere: the journal may have retired its oldest records.
        """
        await self._be_loaded()
        figures = self._figures
        for record in batch:
            if record.seq <= figures.seq:
                continue
            if figures.seq and record.seq != figures.seq + 1:
                raise ValueError(f"record {record.seq} can't follow {figures.seq}")
            try:
                figures.fold(record)
            except BaseException:
                self._loaded = False
                raise

    def routes(self) -> Sequence[Any]:
        """GET /metrics, in the text format or as OpenMetrics, as the reader accepts."""

        @get(
            self._settings.path,
            opt={"role": "metrics"},
            include_in_schema=False,
            name=f"metrics of {self._name}",
        )
        async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
            # Lines for each agent and queue take long to write; a copy of the figures can't change meanwhile.
            accept, kept = request.headers.get("accept", ""), self._figures.snapshot()
            now_ns = self._clock.now_ns()
            content, media_type = await trio.to_thread.run_sync(self._exposition, kept, accept, now_ns)
            if media_type.startswith("text/"):
                # Litestar adds it to text by itself, and twice it is no media type to Prometheus.
                media_type = media_type.removesuffix(_CHARSET)
            return Response(content, media_type=media_type)

        return [metrics]

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics as they stand, and their media type."""
        return self._exposition(self._figures.snapshot(), accept, self._clock.now_ns())

    def _exposition(self, kept: bytes, accept: str, now_ns: int) -> tuple[bytes, str]:
        registry = CollectorRegistry(auto_describe=False)
        figures = Figures.restore(kept)
        registry.register(FiguresCollector(figures, now_ns, by_agent=self._settings.by_agent))
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    async def _be_loaded(self) -> None:
        """Load the figures unless they are; one of those who find none does, so that none undoes another's fold."""
        async with self._loading:
            if not self._loaded:
                await self._load()

    async def _load(self) -> None:
        self._figures, self._saved_seq = Figures(), -1
        try:
            state = await trio.to_thread.run_sync(read_state, self._file)
            if state is not None:
                self._figures = Figures.restore(state)
                self._saved_seq = self._figures.seq
        except ValueError as error:
            # An older version's file, or a damaged one: the journal has it all, so count again from the start.
            self._log.warning("figures_recounted", reason=str(error))
        self._loaded = True

    async def _save(self) -> None:
        if not self._loaded or self._figures.seq == self._saved_seq:
            return
        seq, state = self._figures.seq, self._figures.snapshot()
        await trio.to_thread.run_sync(write_state, self._file, state)
        self._saved_seq = seq

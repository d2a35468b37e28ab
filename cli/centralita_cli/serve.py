"""`centralita serve`: the daemon. It runs in the foreground; whoever starts it (systemd, a container) keeps it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import trio

from centralita.config import Configuration
from centralita.errors import CentralitaError, ConfigurationError, JournalCorrupt, JournalLocked
from centralita.runner.service import serve as run_daemon
from centralita_cli import logs
from centralita_cli.client import front_door
from centralita_cli.collector import quieten
from centralita_cli.exits import Broken, Refused, unusable
from centralita_cli.options import Number, config_option, existing_config, loaded

DISK_FAULTS: Final = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EEXIST", "ENOTDIR", "EROFS", "ENOSPC", "EDQUOT", "EIO")
)


@click.command()
@config_option
@click.option("--host", help="Listen here instead of where the configuration says.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Listen on this port instead; 0: any free one.")
@click.option("--drain", "drain_s", type=Number(0), default=0.0, show_default=True,
              help="At the end, let live contacts go on for so many seconds.")  # fmt: skip
@click.option("--log-json", is_flag=True, help="Log JSON on a terminal, too.")
@click.option("--log-level", type=click.Choice(logs.LEVELS), default="info", show_default=True)
def serve(
    config_path: Path | None,
    host: str | None,
    port: int | None,
    drain_s: float,
    log_json: bool,
    log_level: logs.Level,
) -> None:
    """Run the daemon until it is told to stop.

    SIGTERM, SIGINT or SIGHUP stops it in order, and it ends with 0; a second one hurries it. Nothing is read anew.
    """
    path = existing_config(config_path)
    configuration = listening_on(loaded(path), host=host, port=port)
    logs.set_up(as_json=log_json, level=log_level)
    with starting(str(path)):
        trio.run(partial(run_daemon, configuration, drain_s=drain_s, ready=quieten))


def listening_on(configuration: Configuration, *, host: str | None, port: int | None) -> Configuration:
    """The configuration with its front door's address replaced."""
    replaced = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    if not replaced:
        return configuration
    door = front_door(configuration)
    moved = msgspec.structs.replace(door, settings={**door.settings, **replaced})
    components = tuple(moved if one is door else one for one in configuration.components)
    return msgspec.structs.replace(configuration, components=components)


@contextmanager
def starting(where: str) -> Iterator[Any]:
    """Say what keeps a daemon from starting or running, each kind with its own exit code."""
    try:
        yield
    except ConfigurationError as error:
        raise unusable(error, where) from error
    except JournalLocked as error:
        raise Refused(str(error)) from error
    except JournalCorrupt as error:
        raise Broken(f"the journal is damaged: {error}; `centralita journal verify` says where") from error
    except CentralitaError as error:
        raise Broken(str(error)) from error
    except OSError as error:
        # A data folder that can't be made or written; any other OSError is a bug and shown whole.
        if error.errno not in DISK_FAULTS:
            raise
        raise Broken(f"{error.filename or where}: {error.strerror}") from error
    finally:
        sys.stderr.flush()

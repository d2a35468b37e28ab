"""One daemon for all tests that only ask; it has a company, an agent's token and waiting contacts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from centralita_cli.main import cli
from tests.cli.daemon import Daemon, running

COMPANY = (Path(__file__).parents[2] / "cli/centralita_cli/demo/company.toml").read_text(encoding="utf-8")

Call = Callable[..., Result]


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "centralita.toml").write_text(COMPANY, encoding="utf-8")
    with running(folder) as daemon:
        for number, text in enumerate(("My lamp flickers.", "How do I pair it?"), start=1):
            contact = {"channel": "help", "provider_id": f"p{number}", "customer_name": f"Caller {number}"}
            daemon.post("/api/contacts", {**contact, "text": text})
        yield daemon


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Call the command line in this process, in an empty folder."""
    for name in ("CENTRALITA_CONFIG", "CENTRALITA_TOKEN", "CENTRALITA_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def calling(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return calling


@pytest.fixture
def ask(call: Call, daemon: Daemon) -> Call:
    """Call the command line about the running daemon."""

    def asking(*arguments: str) -> Result:
        return call(*arguments, "-c", str(daemon.config))

    return asking

"""Every example runs to its end and says what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
SAYS = {
    "embed_trio.py": ["Luis is contact 1", "contact 1: served"],
    "embed_asyncio.py": ["Luis is contact 1", "100 wait", "Ana is offered contact 1"],
    "embed_thread.py": ["a repetition is the same contact: True", "accepted", "stopped at record"],
    "own_loop.py": ["300 calls in 8.4 hours"],
    "third_party_channel.py": ["Ana: From nine to two.", "* Goodbye."],
}
TIME_LIMIT_S = 180


def test_every_example_is_run() -> None:
    assert sorted(SAYS) == sorted(path.name for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", SAYS)
def test_example_runs_to_its_end(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in SAYS[name]:
        assert line in done.stdout

"""The fixture over the checks, as a third party's tests use it: with pytest alone, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MODULE = '''
import msgspec
import pytest
import trio

import centralita
from centralita.protocols import Classification


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """None."""


class Keywords:
    def __init__(self, settings, context):
        pass

    async def run(self, inbox, *, task_status):
        task_status.started()
        await trio.sleep_forever()

    async def classify(self, contact):
        return ANSWER


class Plugin:
    centralita_api = 1

    @centralita.hookimpl
    def register_classifiers(self, register):
        register("keywords", Settings, Keywords)


@pytest.mark.centralita(kind="classifiers", type="keywords", plugins=[Plugin()])
def test_keywords(plugin_check):
    plugin_check()
'''


def run(folder: Path, answer: str, *more: str) -> list[str]:
    (folder / "test_keywords.py").write_text(f"{MODULE}\n\nANSWER = {answer}\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-rA",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--rootdir",
            ".",
            *more,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout.splitlines()


def test_each_check_is_a_test_under_its_number(tmp_path: Path) -> None:
    lines = run(tmp_path, "Classification(priority=3)")
    assert "PASSED test_keywords.py::test_keywords[101]" in lines
    assert "PASSED test_keywords.py::test_keywords[702]" in lines
    assert not [line for line in lines if line.startswith("FAILED")]


def test_failure_says_the_claim_and_what_was_seen(tmp_path: Path) -> None:
    lines = run(tmp_path, "'urgent'")
    (failed,) = [line for line in lines if line.startswith("FAILED")]
    assert failed.startswith("FAILED test_keywords.py::test_keywords[701] - Failed: 701: It answers with a")
    assert "classify answered with 'urgent'; must be a Classification with fields of its types" in lines
    assert [line for line in lines if line.startswith("SKIPPED") and "check 701 failed" in line]


def test_fixture_without_its_mark_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "test_bare.py").write_text("def test_bare(plugin_check): ...\n")
    lines = run(tmp_path, "None", "test_bare.py")
    assert [line for line in lines if "plugin_check needs @pytest.mark.centralita(kind=" in line]

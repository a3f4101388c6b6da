"""The manual pages: made from the programs, whole, and good roff."""

import json
import subprocess
import sys

import pytest

from broker import PROGRAMS, REPOSITORY


def commands(command, path=""):
    """The names of a command and those below it, as they are called."""
    path = f"{path} {command['commandName']}".strip()
    yield path
    for child in command.get("subcommands", []):
        if child["commandName"] != "help":
            yield from commands(child, path)


@pytest.mark.parametrize("program", ["broker-cli", "broker-server"])
def test_page(program, tmp_path):
    page = subprocess.run(
        [sys.executable, REPOSITORY / "deploy" / "make-man.py", PROGRAMS / program, "2026-02-01"],
        check=True, capture_output=True,
    ).stdout
    groff = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8", "-P-c", "-P-b", "-P-u"], input=page, check=True, capture_output=True
    )
    assert groff.stderr == b""
    text = groff.stdout.decode()
    dump = subprocess.run([PROGRAMS / program, "--experimental-dump-help"], check=True, capture_output=True).stdout
    names = list(commands(json.loads(dump)["command"]))
    assert len(names) > 5
    for name in names:
        assert f"{name} [options]" in text, name
    for head in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS"):
        assert f"\n{head}\n" in text, head

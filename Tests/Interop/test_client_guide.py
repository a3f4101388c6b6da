"""The programs that the guide of FanfareClient and the README are made of do what is said there."""

import subprocess

from broker import PATIENCE, PROGRAMS, Process, serving


def test_guide(tmp_path):
    with serving(tmp_path, "channels:\n  /guide/numbers: {history: 2000}\n") as broker:
        ended = subprocess.run(
            [PROGRAMS / "client-guide", broker.url("/bayeux")], capture_output=True, text=True, timeout=PATIENCE
        )
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert "went on to true" in lines
    assert any(line.startswith("kept as number 1001 for ") for line in lines)
    assert "the service says " in ended.stdout
    assert not any(line.startswith(("refused", "lost")) for line in lines)


def test_first_steps(tmp_path):
    """It hears what it says itself, and goes on. Its output is a pipe, in which lines would wait for others."""
    with (
        serving(tmp_path) as broker,
        Process(["stdbuf", "-oL", PROGRAMS / "first-steps", broker.url("/bayeux")]) as program,
    ):
        assert program.lines.next() == '/chat/room-1 {"text":"Hello"}\n'

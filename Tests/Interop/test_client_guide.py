"""The program that the guide of FanfareClient is made of does what the guide says."""

import subprocess

from broker import PATIENCE, PROGRAMS, serving


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

"""The operator's guide: every block of it that is marked `sh` works as it stands, on a broker that runs."""

import os
import re
import shutil
import subprocess

import pytest

from broker import PATIENCE, PROGRAMS, REPOSITORY, Broker

GUIDE = (REPOSITORY / "docs" / "operating.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.M | re.S)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A broker that was started as the guide says, with folders of this test's in the place of the machine's."""
    folder = tmp_path_factory.mktemp("machine")
    for name in ["etc", "backups", "state/fanfare"]:
        (folder / name).mkdir(parents=True)
    configuration = folder / "etc" / "fanfare.yaml"
    shutil.copy(REPOSITORY / "deploy" / "fanfare.yaml", configuration)
    broker = Broker(folder / "state/fanfare/fanfare.db", folder / "log", "--config", configuration).start()
    yield folder, broker
    broker.stop()


def test_there_are_blocks():
    assert len(BLOCKS) == GUIDE.count("```sh\n") > 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_block(machine, block):
    folder, broker = machine
    for theirs, ours in [
        ("/etc/fanfare", folder / "etc"),
        ("/var/backups", folder / "backups"),
        ("127.0.0.1:8000", f"127.0.0.1:{broker.port}"),
    ]:
        block = block.replace(theirs, str(ours))
    environment = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "XDG_STATE_HOME": str(folder / "state")}
    result = subprocess.run(
        ["sh", "-e"], input=block, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert result.returncode == 0, result.stderr

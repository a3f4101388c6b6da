"""What the tests share: brokers in folders of their own, on a disk that does what the test says."""

import pytest

from faulty import FaultyBroker
from mounts import Volume
from shim import Shim


@pytest.fixture
def shim(tmp_path):
    return Shim(tmp_path / "shim", tmp_path / "data" / "fanfare.db")


@pytest.fixture
def broker(tmp_path, shim):
    """A broker that was not started yet; its calls of the system go through `shim`."""
    broker = FaultyBroker(tmp_path, environment=shim.environment)
    yield broker
    broker.kill()


@pytest.fixture
def plain_broker(tmp_path):
    """A broker that was not started yet, with nothing between it and the system."""
    broker = FaultyBroker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def volume():
    """A small file system that only the programs started in it see."""
    with Volume(kibibytes=4096) as volume:
        yield volume


@pytest.fixture
def volume_broker(tmp_path, volume):
    """A broker that was not started yet, with its database on `volume`."""
    broker = FaultyBroker(tmp_path, data=volume.inside, wrapper=volume.enter)
    yield broker
    broker.kill()

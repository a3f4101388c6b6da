"""Keys of tokens from an address: a provider that rotates them, fails, and comes back."""

import subprocess

import pytest

from broker import PROGRAMS, Broker
from kept_connection import ask
from provider import Key, Provider, failures, publish, wait_until_ready

SETTINGS = """\
auth:
  keys: ["{address}"]
  key-set-spacing: 50ms
metrics: all
"""


@pytest.fixture
def provider():
    with Provider() as provider:
        yield provider


@pytest.fixture
def start(tmp_path, provider):
    """Starts a broker that takes the provider's keys."""
    (tmp_path / "fanfare.yaml").write_text(SETTINGS.format(address=provider.address))
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "log", "--config", tmp_path / "fanfare.yaml")
    try:
        yield broker.start
        broker.stop()
    finally:
        broker.kill()


def test_keys_change_while_the_broker_runs(provider, start, tmp_path):
    old, new = Key(tmp_path, "old"), Key(tmp_path, "new")
    provider.keys = [old]
    broker = start()
    assert publish(broker, old.token())[0] == 200
    token, stranger = new.token(), Key(tmp_path, "stranger").token()
    provider.keys = [old, new]
    status, text, headers = publish(broker, token)
    assert status == 401 and "no key for it yet, try again" in text and headers["Retry-After"], text
    provider.wait(lambda: publish(broker, stranger))
    assert publish(broker, token)[0] == 200
    assert publish(broker, old.token())[0] == 200
    assert failures(broker) == 0


def test_a_provider_that_fails(provider, start, tmp_path):
    key, other = Key(tmp_path, "a"), Key(tmp_path, "b")
    broker = start()
    token, stranger = key.token(), other.token()
    # It runs, is ready, says what is missing, and fetches again by itself.
    status, text, _ = publish(broker, token)
    assert status == 401 and "the broker waits for its keys, try again" in text
    wait_until_ready(broker)
    assert ask(broker, "GET", "/channels/a")[0] == 404
    assert failures(broker) >= 1
    assert "no keys of tokens yet" in (tmp_path / "log").read_text()
    provider.keys = [key]
    provider.wait(lambda: publish(broker, stranger))
    assert publish(broker, token)[0] == 200
    # What was good stays so while the provider is away.
    before = failures(broker)
    provider.keys = []
    provider.wait(lambda: publish(broker, stranger))
    assert publish(broker, token)[0] == 200
    assert failures(broker) > before
    wait_until_ready(broker)
    assert "kept the keys of tokens that were fetched last" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/keys", "https://", "https://user:pass@127.0.0.1/keys"])
def test_addresses_that_are_none(tmp_path, address):
    file = tmp_path / "fanfare.yaml"
    file.write_text(f'auth:\n  keys: ["{address}"]\n')
    run = subprocess.run([PROGRAMS / "broker-server", "check-config", file], capture_output=True, encoding="utf-8")
    assert run.returncode == 78
    assert f"{file}:2:" in run.stderr and "is not the path of a file, or an address such as https://" in run.stderr

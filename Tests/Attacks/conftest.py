"""What the attacks share. Each is played while a well-behaved client uses the broker, and is none the worse for it."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest

from broker import Broker, Process
from certificates import self_signed
from page import start_browser

HERE = pathlib.Path(__file__).parent
SERVICE = float(os.environ.get("ATTACK_SERVICE", 1))
"""How long the well-behaved may be without service (s)."""
IMPATIENT = """\
timeouts:
  handshake: 2
  request: 2
  close: 1
  ping: 1
  pong: 5
  message: 3
  write: 2
limits:
  messages-per-batch: 1000
channels:
  /large/**: { history: 2000 }
"""
CLOSED = 'fanfare_connections_closed_total{{transport="{}",reason="{}"}}'
SLACK = 4
"""What a deadline may be late on a machine that is busy (s)."""


def resident(pid):
    """The memory of a process (MiB)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Memory(threading.Thread):
    """Looks at a broker's memory again and again."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._pid = pid
        self._is_over = threading.Event()
        self.first = self.most = resident(pid)

    def run(self):
        while not self._is_over.wait(0.02):
            self.look()

    def look(self):
        with contextlib.suppress(OSError):
            self.most = max(self.most, resident(self._pid))

    def stop(self):
        self._is_over.set()
        self.join()
        self.look()


@contextlib.contextmanager
def watch(broker, memory=64, newcomers=True):
    """The attack within the block takes no service away, and at most so much memory (MiB)."""
    bystander = broker.bystander
    watched = Memory(broker.pid)
    try:
        bystander.tell("begin" if newcomers else "begin known")
        assert bystander.lines.next() == "ready\n"
        watched.start()
        yield
        watched.stop()
        bystander.tell("end")
        report = json.loads(bystander.lines.next())
    except BaseException:
        # In the middle of something: the next attack has another one.
        broker.dismiss()
        raise
    assert report["worst"] <= SERVICE, report
    growth = watched.most - watched.first
    assert growth <= memory, f"{growth:.0f} MiB more, from {watched.first:.0f}"


class Bystander(Process):
    """The well-behaved client, in a process of its own, which ends with its input."""

    def __init__(self, broker):
        # Without buffers: `select` has to see what was not read.
        command = [sys.executable, "-u", HERE / "bystander.py", broker.port]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "Interop")}
        super().__init__(command, stdin=subprocess.PIPE, env=environment)


class Victim(Broker):
    """A broker with a configuration of its own."""

    def __init__(self, folder, configuration=""):
        file = folder / "fanfare.yaml"
        file.write_text(configuration)
        super().__init__(folder / "fanfare.db", folder / "broker.log", "--config", file)
        self._bystander = None

    @property
    def bystander(self):
        """Its well-behaved client. One that was asked something in vain is no use any more."""
        if self._bystander is None:
            self._bystander = Bystander(self)
        return self._bystander

    def dismiss(self):
        """End the well-behaved client."""
        bystander, self._bystander = self._bystander, None
        if bystander:
            bystander.__exit__()

    def stop(self):
        self.dismiss()
        super().stop()

    def kill(self):
        self.dismiss()
        super().kill()


@pytest.fixture(scope="module")
def make_broker(tmp_path_factory):
    """Starts brokers with a configuration; they are stopped well after the module's last test."""
    brokers = {}

    def make(configuration=""):
        if configuration not in brokers:
            brokers[configuration] = Victim(tmp_path_factory.mktemp("broker"), configuration).start()
        return brokers[configuration]

    try:
        yield make
        for broker in brokers.values():
            broker.stop()
    finally:
        for broker in brokers.values():
            broker.kill()


@pytest.fixture(scope="module")
def broker(make_broker):
    """A broker as it is without configuration."""
    return make_broker()


@pytest.fixture
def impatient(make_broker):
    """One with short deadlines."""
    return make_broker(IMPATIENT)


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """The same with TLS."""
    folder = tmp_path_factory.mktemp("secure")
    certificate, key = self_signed(folder)
    tls = f"tls: {{ listen: '127.0.0.1:0', certificate: {certificate}, key: {key} }}\n"
    broker = Victim(folder, IMPATIENT + tls)
    try:
        broker.start()
        broker.tls_port = broker.told_port("https")
        yield broker
        broker.stop()
    finally:
        broker.kill()


@pytest.fixture(scope="session")
def stranger():
    """A browser for which evil.example and broker.example lie on this machine."""
    driver = start_browser("--host-resolver-rules=MAP evil.example 127.0.0.1, MAP broker.example 127.0.0.1")
    yield driver
    driver.quit()

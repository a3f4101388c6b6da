"""A broker on a disk that may fail: how it is started, what it answers, what it holds."""

import collections
import contextlib
import json
import sqlite3
import time

from bayeux import Bystander, Peer
from broker import PATIENCE, Broker, Process
from kept_connection import KeptConnection

# What is stored, and how safely; everything else is not.
CONFIGURATION = """\
channels:
  "/full/**": {history: 100000, durability: full}
  "/normal/**": {history: 100000, durability: normal}
"""

# The exit status of a broker that cannot have its database.
CANNOT_CREATE = 73

Answer = collections.namedtuple("Answer", "status body")
End = collections.namedtuple("End", "status message")


class FaultyBroker(Broker):
    """`broker-server serve` with more in its environment, and started by another program (`wrapper`)."""

    def __init__(self, folder, data=None, environment=None, wrapper=()):
        if data is None:
            data = folder / "data"
            data.mkdir(mode=0o700, exist_ok=True)
        self.data = data
        self.environment = dict(environment or {})
        self.wrapper = list(wrapper)
        config = folder / "config.yaml"
        config.write_text(CONFIGURATION)
        super().__init__(data / "fanfare.db", folder / "broker.log", "--config", config)

    def command(self):
        """Through env(1), so that the environment is the broker's alone."""
        environment = {"SWIFT_BACKTRACE": "enable=no", **self.environment}
        variables = [f"{name}={value}" for name, value in environment.items()]
        return [*self.wrapper, "env", *variables, *super().command()]

    def start(self):
        end = self.try_start()
        assert end is None, f"the broker did not start: {end}"
        return self

    def try_start(self):
        """Start it; how it ended, if it ended instead."""
        with open(self.log, "a", encoding="utf-8") as log:
            before = log.tell()
            self._process = Process(self.command(), stderr=log)
        try:
            self.port = self.told_port("http")
        except AssertionError:
            status = self._process.wait()
            return End(status, self.log.read_text(encoding="utf-8")[before:])
        return None

    def restart_without_faults(self):
        """SIGKILL, then a start with nothing between the broker and the system."""
        self.kill()
        self.environment = {}
        return self.start()


class Connection(KeptConnection):
    """One HTTP connection to a broker, kept open."""

    def publish(self, channel, data, **headers):
        return self._ask("POST", f"/channels{channel}", json.dumps(data), headers)

    def get(self, path, **headers):
        return self._ask("GET", path, None, headers)

    def text(self, path):
        """An answer that is no JSON."""
        return self.exchange("GET", path, None, {})[1]

    def _ask(self, method, path, body, headers):
        headers = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        status, text = self.exchange(method, path, body, headers)
        return Answer(status, json.loads(text) if text else None)


def history(broker, channel):
    """All that the channel keeps, as {sequence number: data}; the numbers must increase."""
    kept = {}
    last = 0
    with Connection(broker) as connection:
        while True:
            answer = connection.get(f"/channels{channel}?since={last}&limit=1000")
            assert answer.status == 200, answer
            if not answer.body:
                return kept
            for message in answer.body:
                assert message["ext"]["seq"] > last, f"{message} comes after number {last}"
                last = message["ext"]["seq"]
                kept[last] = message["data"]


def check_refused(answer):
    """A publication was refused for what is wrong with the store, and the publisher is told so."""
    assert 500 <= answer.status <= 599, answer
    assert answer.body["status"] == answer.status
    assert len(answer.body["detail"]) >= 10, answer


def publish_until(broker, channel, wanted, load, most=5000):
    """Publish until the answer is as wanted; every answer goes to `load`."""
    with Connection(broker) as connection:
        for _ in range(most):
            if wanted(answer := load.publish(connection, channel)):
                return answer
    raise AssertionError(f"still {answer} after {most} publications")


def is_taken(answer):
    return answer.status == 200


def is_refused(answer):
    return answer.status != 200


@contextlib.contextmanager
def bystander(broker):
    """A subscriber and a publisher of a channel that is not stored; they must get on with it, and do at the end."""
    with Peer(broker) as subscriber, Peer(broker) as publisher:
        bystander = Bystander(subscriber, publisher)
        bystander.check()
        yield bystander
        bystander.check()


def contents(folder):
    """The database's files by name, without the memory that its users share, and without the broker's socket."""
    files = [file for file in folder.iterdir() if file.is_file() and not file.name.endswith("-shm")]
    return {file.name: file.read_bytes() for file in files}


def sqlite(database, statements):
    """What SQLite in another process than the broker's answers, as the rows of the last statement."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements.split(";"):
            rows = connection.execute(statement).fetchall()
    return rows


def health(broker, what):
    """The status of `/health/live` or `/health/ready`, and what is wrong."""
    with Connection(broker) as connection:
        answer = connection.get(f"/health/{what}")
        return answer.status, answer.body["reasons"]


def wait_until_ready(broker):
    """The broker tries its store once a second at most."""
    deadline = time.monotonic() + PATIENCE
    while (answer := health(broker, "ready")) != (200, []):
        assert time.monotonic() < deadline, answer

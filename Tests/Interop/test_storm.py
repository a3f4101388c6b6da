"""Ten thousand sessions lose their connections at the same time and come back."""

import asyncio
import collections
import contextlib
import os
import pathlib
import resource
import sqlite3
import time

import pytest

from broker import PATIENCE, Broker
from kept_connection import ask
from storm import Crowd

SESSIONS = 10_000
CHANNELS = 100
LOOPS = 2

# Expired sessions are told to come back within this time (ms).
SPREAD = 1000

# By how much the resident memory (KiB) may grow from the first time that all are there to the last. A session with its
# socket takes some 5 KiB: if one storm left them behind, that would be 50 MiB. The smallest session that can be left
# behind, without a socket and subscriptions, takes 280 bytes; three storms would leave 8 MiB. The allocator's own
# share, what it cannot give back at once, is up to 6 MiB, after nine storms as after three.
MARGIN = 7 * 1024

# The same for sessions that end and are replaced by others. The store is then told of 30,000 changes; those that it
# has not yet written wait in memory, up to 2 KiB each, and the allocator keeps that room: up to 22 MiB.
TURNOVER_MARGIN = 32 * 1024


class WatchedBroker(Broker):
    """A broker whose memory and descriptors are looked at from outside, as the system counts them."""

    def memory(self):
        """What is resident (KiB)."""
        status = (self._proc / "status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def descriptors(self):
        return len(os.listdir(self._proc / "fd"))

    def wait_for_descriptors(self, count):
        """Until no more than `count` are open: the broker has seen that the sockets are gone."""
        deadline = time.monotonic() + PATIENCE
        while (now := self.descriptors()) > count:
            assert time.monotonic() < deadline, f"{now} descriptors are open instead of {count}"
        # A loop that takes a connection has done with the sockets that it closed before; each loop gets one in turn.
        for _ in range(LOOPS):
            self.publish("/storm/nobody", None)

    @property
    def _proc(self):
        return pathlib.Path(f"/proc/{self.pid}")


@pytest.fixture(autouse=True)
def many_descriptors():
    """The broker raises its limit itself; here it has to be raised for the clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard > SESSIONS + 500, f"{hard} descriptors are too few"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run(folder, timeout, scenario):
    """The scenario with a broker of its own, which holds connects for `timeout` seconds, and a crowd."""
    config = folder / "fanfare.yaml"
    config.write_text(f"timeouts:\n  connect: {timeout}\n")
    broker = WatchedBroker(folder / "fanfare.db", folder / "broker.log", "--config", config, "--threads", str(LOOPS))
    broker.start()

    async def play():
        crowd = Crowd(broker, SESSIONS, CHANNELS)
        try:
            await scenario(broker, crowd)
        finally:
            crowd.drop()

    try:
        asyncio.run(play())
        broker.stop()
    finally:
        broker.kill()


def publish(broker, data):
    """One message to each channel; every session is subscribed to one."""
    for channel in range(CHANNELS):
        answer = broker.publish(f"/storm/{channel}", data)
        assert answer["matched"] == SESSIONS / CHANNELS, answer


async def hear_live(broker, crowd, data):
    """Every client gets what is published while it is there."""

    async def start():
        publish(broker, data)

    await crowd.wait(data, start)


def check_heard(crowd, *expected):
    """Each client has heard this since the last check, and nothing else."""
    heard = collections.Counter(tuple(client.heard) for client in crowd.clients)
    assert heard == {expected: SESSIONS}
    for client in crowd.clients:
        client.heard.clear()


def check_answered(crowd, count):
    """Each client had so many successful replies to its connects since the last check; none was refused."""
    assert crowd.refusals == []
    assert crowd.answered == count * SESSIONS
    crowd.answered = 0


async def leave(broker, crowd, descriptors):
    """All sessions are ended by their clients."""
    await crowd.ask("lost", lambda client: client.leave())
    broker.wait_for_descriptors(descriptors)


def test_sessions_that_are_still_there(tmp_path):
    """All take up their sessions on new sockets, and get what they missed, once."""

    async def scenario(broker, crowd):
        descriptors = broker.descriptors()
        await crowd.open("/meta/subscribe")
        check_answered(crowd, 1)
        memory = broker.memory()
        for storm in range(3):
            missed, live = f"missed in storm {storm}", f"live after storm {storm}"
            await crowd.lose()
            broker.wait_for_descriptors(descriptors)
            publish(broker, missed)
            await crowd.open(missed)
            await hear_live(broker, crowd, live)
            check_heard(crowd, missed, live)
            # The first connect of a socket is answered at once, the one after it is held.
            check_answered(crowd, 1)
            assert broker.memory() < memory + MARGIN
        await leave(broker, crowd, descriptors)
        check_answered(crowd, 1)

    run(tmp_path, 600, scenario)


def test_sessions_that_have_expired(tmp_path):
    """All are told to shake hands again, each at a moment of its own, and none is refused when it does."""

    async def scenario(broker, crowd):
        descriptors = broker.descriptors()
        await crowd.open("/meta/subscribe")
        memory = broker.memory()
        check_rows(broker, sessions=SESSIONS)
        await crowd.lose()
        broker.wait_for_descriptors(descriptors)
        wait_until_expired(broker)
        check_rows(broker, sessions=0)
        await crowd.open("refused")
        check_spread([check_refusal(message) for message in crowd.refusals])
        crowd.refusals.clear()
        await crowd.ask("/meta/subscribe", lambda client: client.follow_advice())
        await hear_live(broker, crowd, "live")
        check_heard(crowd, "live")
        assert crowd.refusals == []
        assert broker.memory() < memory + TURNOVER_MARGIN
        await leave(broker, crowd, descriptors)
        assert broker.memory() < memory + TURNOVER_MARGIN
        check_rows(broker, sessions=0)

    # Long enough that no session expires because ten thousand clients in one thread are late with their connects.
    run(tmp_path, 8, scenario)


def check_rows(broker, sessions):
    """The database holds so many sessions, each with its subscription, and no message for any of them."""
    # The store does one thing after the other: when this is acknowledged, all that was asked of it before is done.
    assert ask(broker, "POST", "/channels/mark?retain=true", "1")[0] == 200
    with contextlib.closing(sqlite3.connect(f"file:{broker.database}?mode=ro", uri=True)) as database:
        tables = ["session", "subscription", "publication WHERE channel <> '/mark'"]
        rows = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    assert rows == [sessions, sessions, 0]


def wait_until_expired(broker):
    """Until no session is subscribed; a message does not prolong the life of a session."""
    for channel in range(CHANNELS):
        broker.wait_until_unsubscribed(f"/storm/{channel}")


def check_refusal(message):
    """The refusal is that of an expired session. Returns when the client shall come back (ms)."""
    assert message["channel"] == "/meta/connect"
    assert message["error"].startswith("401:") and message["error"].endswith(":Unknown client")
    interval = message["advice"]["interval"]
    assert message["advice"] == {"reconnect": "handshake", "interval": interval}
    assert isinstance(interval, int) and 0 <= interval <= SPREAD
    return interval


def check_spread(intervals):
    """Chi-square over tenths of the time. Even intervals fail once in two hundred million times (9 degrees)."""
    assert len(intervals) == SESSIONS
    # Nor are they a few moments only: of 10,000 draws from 1,001 values hardly one is missing.
    assert len(set(intervals)) > 0.99 * SPREAD
    tenths = collections.Counter(min(interval * 10 // SPREAD, 9) for interval in intervals)
    expected = SESSIONS / 10
    assert sum((tenths[tenth] - expected) ** 2 / expected for tenth in range(10)) < 55, tenths

"""Too many of everything: connections, requests, sessions, subscriptions, publications, descriptors."""

import http.client
import json
import re
import subprocess
import time

import pytest

from bayeux import Peer
from broker import PATIENCE, PROGRAMS
from conftest import Victim, watch
from wire import HANDSHAKE, Wire, batch, request

SECONDS = 3
"""How long a flood goes on."""


def test_connects(broker):
    with watch(broker, memory=48):
        for _ in range(10):
            wires = [Wire(broker.port) for _ in range(200)]
            for wire in wires:
                wire.socket.close()


def wait_for_room(broker):
    """Ask until the broker has seen that others are gone, and all but a few connections may come again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            found = broker.samples()
            if sum(count for name, count in found.items() if name.startswith("fanfare_connections{")) < 10:
                return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < deadline, "those who are gone still count"


def test_connects_over_the_limit(make_broker):
    """Those who are there go on; one more is closed at once; when the others are gone there is room again."""
    broker = make_broker("limits:\n  connections: 50\n")
    with watch(broker, newcomers=False):
        wires = [Wire(broker.port) for _ in range(200)]
        for wire in wires[100:]:
            assert wire.read_to_end() == b""
        for wire in wires:
            wire.socket.close()
    wait_for_room(broker)
    broker.wait_for_sample('fanfare_connections_rejected_total{reason="limit"}', 100)
    with watch(broker):
        pass


def test_requests(broker):
    """As many as one connection holds, of the kind that costs most."""
    with watch(broker, memory=48), Wire(broker.port) as wire:
        thread = wire.drain()
        wire.flood(request("GET", "/metrics").encode() * 200, SECONDS)
        wire.socket.close()
        thread.join(PATIENCE)


def test_sessions(make_broker):
    broker = make_broker("limits:\n  sessions: 500\n")
    with watch(broker, memory=48, newcomers=False), Wire(broker.port) as wire:
        wire.upgrade()
        errors = set()
        for _ in range(20):
            wire.send(batch(*[HANDSHAKE] * 100))
            for reply in json.loads(wire.frame()[1]):
                if not reply["successful"]:
                    errors.add(reply["error"])
                    assert reply["advice"]["interval"] > 0 or reply["advice"]["reconnect"] == "none", reply
        assert len(errors) == 1 and re.match("429:|503:", errors.pop())
    assert broker.samples()['fanfare_sessions{state="away"}'] <= 500


def test_sessions_of_one_address(make_broker):
    """Not all that there may be: others find room."""
    broker = make_broker(
        "limits: {sessions: 1000, sessions-per-address: 500}\n"
        "rates: {loopback: true, handshakes-per-address: 1000/s burst 10000}\n"
    )
    with watch(broker, memory=48), Wire(broker.port, address="127.0.2.1") as wire:
        wire.upgrade()
        errors = set()
        for _ in range(20):
            wire.send(batch(*[HANDSHAKE] * 100))
            errors |= {reply["error"] for reply in json.loads(wire.frame()[1]) if not reply["successful"]}
        assert errors == {"429:sessions-per-address:Limit reached"}


def test_subscriptions(broker):
    """Those of a session are counted; what is beyond is refused, and said so."""
    with watch(broker, memory=48), Peer(broker) as peer:
        peer.handshake()
        peer.connect()
        for start in range(0, 1000, 100):
            peer.subscribe(*(f"/flood/{start + number}" for number in range(100)))
        reply = peer.ask("/meta/subscribe", clientId=peer.client_id, subscription="/flood/1000")
        assert not reply["successful"] and reply["error"] == "429:subscriptions:Limit reached", reply
        peer.leave()


def test_subscribing_and_unsubscribing(broker):
    with watch(broker, memory=96), Peer(broker) as peer:
        peer.handshake()
        peer.connect()
        client = peer.client_id
        messages = []
        for number in range(50):
            for verb in ("subscribe", "unsubscribe"):
                messages.append({"channel": f"/meta/{verb}", "clientId": client, "subscription": f"/churn/{number}/**"})
        with Wire(broker.port) as wire:
            wire.upgrade().drain()
            wire.flood(batch(*messages), SECONDS)
        peer.leave()


def test_connects_of_one_session(broker):
    """Held ones, from many sockets: each new one ends the one before."""
    with watch(broker, memory=48), Peer(broker) as peer:
        peer.handshake()
        message = {"channel": "/meta/connect", "clientId": peer.client_id, "connectionType": "websocket"}
        wires = [Wire(broker.port).upgrade() for _ in range(100)]
        for wire in wires:
            wire.send(batch(message) * 20)
        for wire in wires:
            wire.socket.close()
        peer.leave()


def test_publications(broker):
    with watch(broker, memory=64), Wire(broker.port) as wire:
        wire.upgrade().drain()
        wire.flood(batch(*[{"channel": "/flood/a", "data": 1}] * 50), SECONDS)


@pytest.mark.long
def test_publications_to_a_crowd(broker):
    """One that a hundred subscribe to, some of whom do not read."""
    with watch(broker, memory=128), Wire(broker.port) as wire, Peer(broker) as peer:
        peer.listen("/crowd/**")
        wire.upgrade().drain()
        wires = []
        for number in range(100):
            member = Wire(broker.port, window=4096).upgrade()
            member.listen("/crowd/**")
            if number % 2:
                member.drain()
            wires.append(member)
        # A message for each of a hundred: a hundredth of a flood is one.
        for _ in range(SECONDS * 20):
            wire.send(batch(*[{"channel": "/crowd/a", "data": "x" * 1000}] * 10))
            peer.next_message()
        for member in wires:
            member.socket.close()
        peer.leave()


def test_large_retained_messages(make_broker):
    """What is kept is kept on the disk."""
    broker = make_broker("channels:\n  /kept/**: { retain: true, durability: normal }\n")
    with watch(broker, memory=96):
        for number in range(30):
            broker.publish(f"/kept/{number}?retain=true", "x" * 900_000)


@pytest.fixture
def poor(tmp_path):
    """A broker that may have few descriptors."""

    class Poor(Victim):
        def command(self):
            return ["prlimit", "--nofile=100", *super().command()]

    broker = Poor(tmp_path)
    try:
        yield broker.start()
        broker.stop()
    finally:
        broker.kill()


def test_no_descriptors(poor):
    """Those who are there are served while nobody else can come; when some leave, others come in."""
    with watch(poor, newcomers=False):
        wires = []
        for _ in range(150):
            wires.append(Wire(poor.port))
        wires[0].send(request("GET", "/health/live"))
        assert wires[0].answer()[0] == 200
        for wire in wires:
            wire.socket.close()
        # Within the time that accepting pauses.
        with Wire(poor.port) as late:
            assert late.ask(request("GET", "/health/live")) == 200
    with watch(poor):
        pass


def test_bench_of_the_command_line(broker):
    """Our own load generator is a client like any other."""
    with watch(broker, memory=96):
        run = subprocess.run(
            [PROGRAMS / "broker-cli", "--url", broker.url("/bayeux"), "bench", "--rate", "500", "--duration", "3"],
            capture_output=True, text=True, timeout=2 * PATIENCE,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr

"""Hoards: what an attacker has kept for it leaves others what is theirs."""

import contextlib
import http.client
import json

from bayeux import Peer
from conftest import watch
from wire import Wire, frame, request

UNFINISHED = 'fanfare_connections_closed_total{transport="websocket",reason="unfinished"}'


def test_waiting_messages(make_broker):
    """Sessions that let messages wait until there is no more room for any: those of others are not the ones that go."""
    broker = make_broker("limits:\n  queued-bytes: 256KiB\n  queued-bytes-in-all: 1MiB\n")
    with watch(broker), Peer(broker) as publisher:
        with Peer(broker) as victim:
            victim.listen("/victim")
        for _ in range(20):
            with Peer(broker) as attacker:
                attacker.listen("/hoard")
        for number in range(5):
            publisher.publish("/hoard", "x" * 100_000)
            publisher.publish("/victim", number)
            publisher.publish("/hoard", "x" * 100_000)
        with Peer(broker) as again:
            again.client_id = victim.client_id
            again.connect()
            assert [again.next_message()["data"] for _ in range(5)] == [0, 1, 2, 3, 4]
    assert broker.samples()["fanfare_session_queue_bytes"] <= 1 << 20


def test_messages_that_are_not_complete(make_broker):
    """Nearly all of the largest message there is, over many connections, and no more: what does not fit is refused."""
    broker = make_broker("rates: {loopback: true}\nthreads: 1\n")
    size = 1 << 20
    half = frame(1, length=size) + b" " * (size - 1)
    with watch(broker, memory=80), contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(broker.port)).upgrade() for _ in range(100)]
        for wire in wires:
            wire.send(half)
        broker.wait_for_sample(UNFINISHED, 50)
        # The others go on, and are taken when they are complete.
        assert broker.samples()["fanfare_receive_queue_bytes"] > 16 << 20
        assert broker.samples()[UNFINISHED] <= len(wires) - 20
        for wire in wires:
            wire.send(b" ")
        # What is over does not count any more.
        broker.wait_until_none("fanfare_receive_queue_bytes")


def test_buffers(broker):
    """Connections that have sent much at once and then nothing: none keeps room for it."""
    with watch(broker, memory=8):
        wires = []
        for _ in range(300):
            wire = Wire(broker.port).upgrade()
            wire.send(frame(10) * 30_000 + frame(9, b"done"))
            assert wire.frame() == (10, b"done")
            wires.append(wire)
        for wire in wires:
            wire.socket.close()


def test_requests_behind_one_that_waits(broker):
    """Thousands of chunks, and of requests, behind one that is not answered at once: nobody keeps room for them."""
    get = request("GET", "/channels/a")
    chunks = request("POST", "/channels/a", "Transfer-Encoding: chunked") + "1\r\na\r\n" * 10_000 + "0\r\n\r\n"
    with watch(broker, memory=48):
        wires = []
        for number in range(200):
            wire = Wire(broker.port)
            if number % 2:
                wire.send(get + chunks)
                wire.answer()
                assert wire.answer()[0] == 400, "a number of a's is no JSON"
            else:
                wire.send(get + "GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2_000)
                for _ in range(1 + 2_000):
                    wire.answer()
            assert wire.ask(request("GET", "/health/live")) == 200
            wires.append(wire)
        for wire in wires:
            wire.socket.close()


def test_retained_messages(make_broker):
    """Ever new channels with a retained message each: they end at a bound, and what is not kept goes on."""
    broker = make_broker("limits:\n  database-bytes: 8MiB\n")
    with watch(broker), Peer(broker) as attacker:
        refusals = []
        for first in range(0, 5_000, 100):
            names = [f"/hoard/{first + number}" for number in range(100)]
            attacker.send(
                *({"channel": name, "id": name, "data": "x" * 4_000, "ext": {"retain": True}} for name in names)
            )
            for name in names:
                reply = attacker.take(lambda message, name=name: message.get("id") == name)
                if not reply["successful"]:
                    refusals.append(reply["error"])
    assert 2_000 < len(refusals) < 4_500
    assert all(error.endswith(":Failed to publish: as much is kept as may be") for error in refusals)
    assert broker.samples()['fanfare_store_errors_total{kind="full"}'] == len(refusals)
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)
    for target, status in ("/channels/other?retain=true", 507), ("/channels/other", 200):
        connection.request("POST", target, json.dumps("x" * 8_000), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == status, response.read()
        response.read()
    connection.close()

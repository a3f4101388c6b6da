"""Peers that do not take what they asked for, or take it slowly: it waits with them, not with the broker."""

import contextlib
import ssl
import time

import pytest

from broker import PATIENCE
from conftest import CLOSED, SLACK, watch
from wire import Wire, batch, frame, request


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.long
def test_tls_answers_that_are_not_taken(secure):
    before = secure.samples()[CLOSED.format("http", "slow")]
    with watch(secure, memory=64), Wire(secure.tls_port, window=4096) as wire:
        with unverified().wrap_socket(wire.socket) as tls:
            tls.settimeout(0.2)
            with contextlib.suppress(OSError):
                for _ in range(1000):
                    tls.sendall((request("GET", "/fanfare.js") * 50).encode())
            secure.wait_for_sample(CLOSED.format("http", "slow"), before + 1)


def fill(broker, channel, size):
    """Publish until the history of a channel has so many bytes."""
    piece = "x" * 500_000
    for _ in range(size // len(piece)):
        broker.publish(channel, piece)


def test_answers_that_are_not_taken(impatient):
    """Thousands of requests, the answers of which nobody reads: they wait with the peer, not with the broker."""
    before = impatient.samples()[CLOSED.format("http", "slow")]
    with watch(impatient, memory=48), Wire(impatient.port, window=4096) as wire:
        get = request("GET", "/fanfare.js")
        wire.flood((get * 500).encode(), 2 + SLACK)
        impatient.wait_for_sample(CLOSED.format("http", "slow"), before + 1)


def test_a_large_answer_that_is_not_taken(impatient):
    fill(impatient, "/large/a", 20_000_000)
    before = impatient.samples()[CLOSED.format("http", "slow")]
    with watch(impatient, memory=128), Wire(impatient.port, window=4096) as wire:
        wire.send(request("GET", "/channels/large/a?since=0"))
        impatient.wait_for_sample(CLOSED.format("http", "slow"), before + 1)


def test_large_answers_that_are_not_taken(make_broker):
    """Of one address, over as many connections as it may have: those that nobody takes leave no room for more."""
    broker = make_broker("rates: {loopback: true}\nchannels: {/large/**: {history: 2000}}\n")
    fill(broker, "/large/a", 8_000_000)
    get = request("GET", "/channels/large/a?since=0")
    with watch(broker, memory=128), contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(broker.port, window=4096)) for _ in range(40)]
        heads = []
        for wire in wires:
            wire.send(get)
            heads.append(wire.read_until(b"\r\n\r\n").decode())
        taken = [wire for wire, head in zip(wires, heads, strict=True) if head.startswith("HTTP/1.1 200")]
        assert 2 <= len(taken) <= 12
        assert all("retry-after: 1" in head.lower() for head in heads if not head.startswith("HTTP/1.1 200")), heads
        refused = broker.samples()['fanfare_http_requests_total{route="channels",method="GET",code="503"}']
        assert refused >= len(wires) - len(taken)
        for wire in taken:
            wire.socket.close()
    deadline = time.monotonic() + PATIENCE
    with Wire(broker.port) as wire:
        while wire.ask(get) != 200:
            assert time.monotonic() < deadline, "those that are gone still count"


@pytest.mark.long
@pytest.mark.parametrize("last", [False, True], ids=["kept", "closed"])
def test_a_large_answer_that_is_taken_slowly(impatient, last):
    """Longer than any deadline, but it goes on."""
    fill(impatient, "/large/b", 20_000_000)
    fields = ["Connection: close"] if last else []
    with watch(impatient, memory=128), Wire(impatient.port, window=65536) as wire:
        wire.send(request("GET", "/channels/large/b?since=0", *fields))
        start = time.monotonic()
        head = wire.read_until(b"\r\n\r\n").decode()
        length = int(head.lower().split("content-length: ")[1].split()[0])
        assert length > 8_000_000
        for _ in range(30):
            wire.read(200_000)
            # To be slow is what is tested: what a second brings is a twentieth of what the network would.
            time.sleep(0.2)
        assert time.monotonic() - start > 2 * 2
        rest = wire.read(length - 30 * 200_000)
        assert rest.endswith(b"]\n")


@pytest.mark.parametrize("payload", [b"", b"x" * 125], ids=["empty", "full"])
def test_pongs_that_are_not_taken(impatient, payload):
    with watch(impatient, memory=32), Wire(impatient.port, window=4096) as wire:
        wire.upgrade()
        # Pongs of two bytes take their time to fill the buffers of the system.
        wire.flood(frame(9, payload) * 5000, 2 + SLACK, idle=True)
        assert not wire.send(frame(9)), "the connection is over"


def test_replies_that_are_not_taken(impatient):
    with watch(impatient, memory=48), Wire(impatient.port, window=4096) as wire:
        wire.upgrade()
        wire.flood(batch(*[{"channel": "/replies", "data": 1, "id": "x" * 100}] * 200) * 10, 2 + SLACK, idle=True)
        assert not wire.send(frame(9)), "the connection is over"


def wait_until_cut(broker, wire, before):
    """Subscribe, and take nothing of what is published: the broker ends that."""
    wire.upgrade().listen("/messages/not/taken")
    for _ in range(20):
        broker.publish("/messages/not/taken", "x" * 500_000)
    broker.wait_for_sample(CLOSED.format("websocket", "slow"), before + 1)


def test_messages_that_are_not_taken(impatient):
    """A subscriber that never reads is cut when nothing has moved for the time of `timeouts.write`."""
    before = impatient.samples()[CLOSED.format("websocket", "slow")]
    with watch(impatient, memory=64), Wire(impatient.port, window=4096) as wire:
        wait_until_cut(impatient, wire, before)


def test_messages_over_tls_that_are_not_taken(secure):
    """What TLS has made of a message counts as waiting until the socket has taken it."""
    before = secure.samples()[CLOSED.format("websocket", "slow")]
    with watch(secure, memory=64), Wire(secure.tls_port, window=4096) as wire:
        wire.socket = unverified().wrap_socket(wire.socket)
        wait_until_cut(secure, wire, before)


def test_events_that_are_not_taken(impatient):
    before = impatient.samples()[CLOSED.format("eventsource", "slow")]
    with watch(impatient, memory=64), Wire(impatient.port, window=4096) as wire:
        wire.send(request("GET", "/channels/events/not/taken", "Accept: text/event-stream"))
        wire.read_until(b"retry:")
        for _ in range(20):
            impatient.publish("/events/not/taken", "x" * 500_000)
        impatient.wait_for_sample(CLOSED.format("eventsource", "slow"), before + 1)

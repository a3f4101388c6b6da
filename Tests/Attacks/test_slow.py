"""Peers that send too slowly, or do not take what they asked for. Every deadline is short here, and absolute."""

import contextlib
import ssl
import time

import pytest

from bayeux import Peer
from certificates import self_signed
from conftest import Victim, watch
from wire import UPGRADE, Wire, batch, frame, request

IMPATIENT = """\
timeouts:
  handshake: 2
  request: 2
  close: 1
  ping: 1
  pong: 1
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


@pytest.fixture
def impatient(make_broker):
    return make_broker(IMPATIENT)


@pytest.mark.parametrize(
    "name, head",
    [
        ("nothing", ""),
        ("a request line", "GET /health/live HTTP/1.1\r\n"),
        ("the head of a handshake", UPGRADE),
        ("the challenge of draft-hixie-76", "GET /bayeux HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
         "Upgrade: WebSocket\r\nSec-WebSocket-Key1: 1 8\r\nSec-WebSocket-Key2: 2 4\r\n\r\n"),
    ],
    ids=lambda value: value if "\r" not in value else "",
)  # fmt: skip
def test_heads_that_do_not_end(impatient, name, head):
    with watch(impatient), Wire(impatient.port) as wire:
        start = time.monotonic()
        assert wire.send(head)
        answer = wire.read_to_end()
        assert 1 < time.monotonic() - start < 2 + 1 + SLACK
        assert answer == b"" or answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 101 ")), answer


def test_slowloris(impatient):
    """A hundred heads, a byte of each now and then: each byte is no reason to wait longer."""
    with watch(impatient):
        wires = [Wire(impatient.port) for _ in range(100)]
        start = time.monotonic()
        for wire in wires:
            wire.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        while wires and time.monotonic() - start < 2 + 1 + SLACK:
            for wire in wires:
                wire.send("x")
            wires[0].socket.settimeout(0.2)
            try:
                wires[0].socket.recv(1000)
            except TimeoutError:
                continue
            except ConnectionResetError:
                pass
            wires.pop(0).socket.close()
        assert not wires, f"{len(wires)} are still open"


def test_a_body_that_drips(impatient):
    with watch(impatient), Wire(impatient.port) as wire:
        wire.send("POST /channels/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n")
        assert 1 < wire.drip(b"1", 0.1, 2 + 1 + SLACK) < 2 + 1 + SLACK
        assert wire.answer()[0] == 408


def test_a_second_head_that_drips(impatient):
    with watch(impatient), Wire(impatient.port) as wire:
        assert wire.ask(request("GET", "/health/live")) == 200
        assert 1 < wire.drip(b"GET / HTTP/1.1\r\nX: " + b"x" * 1000, 0.1, 2 + 1 + SLACK)


def test_empty_lines_between_requests(impatient):
    """They are no request, however many come."""
    with watch(impatient, memory=16), Wire(impatient.port) as wire:
        assert wire.ask(request("GET", "/health/live")) == 200
        start = time.monotonic()
        wire.flood(b"\r\n" * 1000, 2 + 1 + SLACK)
        assert time.monotonic() - start < 2 + 1 + SLACK


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


def client_hello():
    """The first bytes of a client of TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


@pytest.mark.long
@pytest.mark.parametrize(
    "name, beginning, drop",
    [
        ("nothing", b"", None), ("half a hello", client_hello()[:100], None), ("a hello", client_hello(), None),
        ("a hello that drips", b"", client_hello()), ("a record that drips", b"\x16\x03\x01\x40\x00\x01", b"\0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_tls_handshakes_that_do_not_end(secure, name, beginning, drop):
    with watch(secure), Wire(secure.tls_port) as wire:
        start = time.monotonic()
        wire.send(beginning)
        if drop:
            wire.drip(drop, 0.1, 2 + 1 + SLACK)
        else:
            wire.read_to_end(2 + 1 + SLACK)
        assert 1 < time.monotonic() - start < 2 + 1 + SLACK


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


def test_a_closing_handshake_that_is_not_answered(impatient):
    with watch(impatient), Wire(impatient.port) as wire:
        wire.upgrade().send(frame(2, b"binary"))
        assert wire.close_code()[0] == 1003
        start = time.monotonic()
        assert wire.read_to_end(1 + 1 + SLACK) == b""
        assert time.monotonic() - start < 1 + 1 + SLACK


def test_a_ping_that_is_not_answered(impatient):
    before = impatient.samples()[CLOSED.format("websocket", "pong")]
    with watch(impatient), Wire(impatient.port) as wire:
        wire.upgrade()
        assert wire.frame()[0] == 9
        assert wire.read_to_end(1 + 1 + SLACK) == b""
    assert impatient.samples()[CLOSED.format("websocket", "pong")] == before + 1


@pytest.mark.parametrize(
    "name, beginning, drop",
    [
        ("a text", frame(1, b"", length=1 << 19), b" "),
        ("a pong", frame(10, b"", length=125), b" "),
        ("fragments", frame(1, b" ", final=False), frame(0, b" ", final=False)),
        ("empty fragments", frame(1, b"", final=False), frame(0, b"", final=False)),
        ("fragments and pings", frame(1, b" ", final=False), frame(0, b" ", final=False) + frame(9)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_that_does_not_end(impatient, name, beginning, drop):
    """Its pieces do not keep a connection for ever, whatever else comes between them."""
    before = impatient.samples()[CLOSED.format("websocket", "timeout")]
    with watch(impatient), Wire(impatient.port) as wire:
        wire.upgrade().send(beginning)
        start = time.monotonic()
        assert 2 < wire.drip(drop, 0.05, 3 + 1 + SLACK) < 3 + 1 + SLACK
        code, reason = wire.close_code()
        assert (code, reason) == (1008, "A message takes longer than 3 s"), time.monotonic() - start
    assert impatient.samples()[CLOSED.format("websocket", "timeout")] == before + 1


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
        assert length > 19_000_000
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
        wire.flood(batch(*[{"channel": "/replies", "data": 1, "id": "x" * 100}] * 200) * 10, 2 + SLACK)
        assert not wire.send(frame(9)), "the connection is over"


def test_messages_that_are_not_taken(impatient):
    """A subscriber that never reads is cut when nothing has moved for the time of `timeouts.write`."""
    before = impatient.samples()[CLOSED.format("websocket", "slow")]
    with watch(impatient, memory=64), Wire(impatient.port, window=4096) as wire:
        wire.upgrade()
        wire.listen("/messages/not/taken")
        for _ in range(20):
            impatient.publish("/messages/not/taken", "x" * 500_000)
        impatient.wait_for_sample(CLOSED.format("websocket", "slow"), before + 1)


def test_messages_over_tls_that_are_not_taken(secure):
    """What TLS has made of a message counts as waiting until the socket has taken it."""
    before = secure.samples()[CLOSED.format("websocket", "slow")]
    with watch(secure, memory=64), Wire(secure.tls_port, window=4096) as wire:
        wire.socket = unverified().wrap_socket(wire.socket)
        wire.upgrade()
        wire.listen("/messages/not/taken")
        for _ in range(20):
            secure.publish("/messages/not/taken", "x" * 500_000)
        secure.wait_for_sample(CLOSED.format("websocket", "slow"), before + 1)


def test_events_that_are_not_taken(impatient):
    before = impatient.samples()[CLOSED.format("eventsource", "slow")]
    with watch(impatient, memory=64), Wire(impatient.port, window=4096) as wire:
        wire.send(request("GET", "/channels/events/not/taken", "Accept: text/event-stream"))
        wire.read_until(b"retry:")
        for _ in range(20):
            impatient.publish("/events/not/taken", "x" * 500_000)
        impatient.wait_for_sample(CLOSED.format("eventsource", "slow"), before + 1)


def test_a_slow_publisher_is_served(impatient):
    """One that takes longer than a ping for a message, but not longer than it may."""
    with Peer(impatient) as peer, Wire(impatient.port) as wire:
        peer.listen("/slow")
        wire.upgrade()
        whole = batch({"channel": "/slow", "data": "x" * 1000, "id": "slow"})
        for part in range(0, len(whole), 80):
            wire.send(whole[part : part + 80])
            # To be slow is what is tested: thirteen pauses are longer than a ping and the time for its pong.
            time.sleep(0.15)
        assert peer.next_message()["data"] == "x" * 1000

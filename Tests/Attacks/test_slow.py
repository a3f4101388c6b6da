"""Peers that send too slowly. Every deadline is short here, and absolute."""

import contextlib
import ssl
import time

import pytest

from conftest import CLOSED, SLACK, watch
from wire import UPGRADE, Wire, batch, frame, request


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
        assert wire.read_to_end(5 + 1 + SLACK) == b""
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


def test_a_slow_publisher_is_served(make_broker):
    """One that takes longer than a ping for a message, but not longer than it may."""
    broker = make_broker("timeouts: {ping: 1, pong: 3, message: 60}\n")
    with Wire(broker.port) as listener, Wire(broker.port) as wire:
        listener.send(request("GET", "/channels/slow", "Accept: text/event-stream"))
        listener.read_until(b"retry:")
        wire.upgrade()
        whole = batch({"channel": "/slow", "data": "x" * 1000, "id": "slow"})
        for part in range(0, len(whole), 80):
            assert wire.send(whole[part : part + 80])
            # To be slow is what is tested: thirteen pauses are longer than a ping and the time for its pong.
            time.sleep(0.45)
        listener.read_until(b'"' + b"x" * 1000 + b'"')

"""Requests that two readers could take for different ones. The broker takes each in one way only, or refuses it."""

import re

import pytest

from conftest import watch
from wire import UPGRADE, Wire, frame, request

SMUGGLED = "/smuggled/here"
INNER = f"POST /channels{SMUGGLED}?retain=true HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\n1"


def post(*fields, body, line="POST /channels/outer HTTP/1.1"):
    return "\r\n".join([line, "Host: 127.0.0.1", *fields]) + "\r\n\r\n" + body


LENGTH = f"Content-Length: {len(INNER)}"
# Each is followed by a whole request, which is not to be answered: what is refused ends the connection.
REFUSED = {
    "a length and chunks": post("Content-Length: 1", "Transfer-Encoding: chunked", body="0\r\n\r\n" + INNER),
    "chunks and a length": post("Transfer-Encoding: chunked", LENGTH, body="0\r\n\r\n" + INNER),
    "two lengths": post("Content-Length: 1", LENGTH, body="1" + INNER),
    "two lengths in one field": post("Content-Length: 1, 1", body="1" + INNER),
    "a length with a sign": post("Content-Length: +1", body="1" + INNER),
    "a negative length": post("Content-Length: -1", body="1" + INNER),
    "a length in hexadecimal": post("Content-Length: 0x1", body="1" + INNER),
    "a length that overflows": post("Content-Length: 18446744073709551617", body="1" + INNER),
    "an unknown coding": post("Transfer-Encoding: cow", body="0\r\n\r\n" + INNER),
    "chunks that are not last": post("Transfer-Encoding: chunked, identity", body="0\r\n\r\n" + INNER),
    "chunks twice": post("Transfer-Encoding: chunked", "Transfer-Encoding: cow", body="0\r\n\r\n" + INNER),
    "chunks with a tab before": post("Transfer-Encoding:\x0bchunked", body="0\r\n\r\n" + INNER),
    "a folded field": post("Content-Length: 1", "X: a\r\n b", body="1" + INNER),
    "a folded coding": post("Transfer-Encoding:\r\n chunked", body="0\r\n\r\n" + INNER),
    "a space before a colon": post("Content-Length : 1", body="1" + INNER),
    "a tab before a colon": post("Transfer-Encoding\t: chunked", body="0\r\n\r\n" + INNER),
    "a space before a field": post(" Content-Length: 1", body="1" + INNER),
    "a NUL in a name": post("Content-Length: 1", "X\0Y: a", body="1" + INNER),
    "a NUL in a value": post("Content-Length: 1", "X: a\0b", body="1" + INNER),
    "a CR in a value": post("Content-Length: 1", "X: a\rY: b", body="1" + INNER),
    "an LF in a field": post("X: a\nContent-Length: 1", body="1" + INNER).replace("\r\n\r\n", "\n\n", 1),
    "a control character": post("Content-Length: 1", "X: a\x01b", body="1" + INNER),
    "no name": post("Content-Length: 1", ": a", body="1" + INNER),
    "no colon": post("Content-Length: 1", "X", body="1" + INNER),
    "a chunk's size that overflows": post(
        "Transfer-Encoding: chunked", body="10000000000000001\r\n1\r\n0\r\n\r\n" + INNER
    ),
    "a chunk's size with a sign": post("Transfer-Encoding: chunked", body="+1\r\n1\r\n0\r\n\r\n" + INNER),
    "a chunk's size with a prefix": post("Transfer-Encoding: chunked", body="0x1\r\n1\r\n0\r\n\r\n" + INNER),
    "a chunk that is longer": post("Transfer-Encoding: chunked", body="1\r\n1x\r\n0\r\n\r\n" + INNER),
    "a chunk that ends with LF": post("Transfer-Encoding: chunked", body="1\n1\n0\n\n" + INNER),
    "a chunk's extension with LF": post("Transfer-Encoding: chunked", body="1;a\n1\r\n0\r\n\r\n" + INNER),
    "a length behind chunks": post(
        "Transfer-Encoding: chunked", body=f"1\r\n1\r\n0\r\n{LENGTH}\r\n\r\n" + INNER
    ),
    "no version": post(LENGTH, body=INNER, line="POST /channels/outer"),
    "another version": post(LENGTH, body=INNER, line="POST /channels/outer HTTP/3.0"),
    # Taken for one, where it comes later on a connection; its body is its body, which is no JSON.
    "two spaces in the line": post(LENGTH, "Connection: close", body=INNER, line="POST  /channels/outer  HTTP/1.1"),
    "a NUL in the target": post(LENGTH, body=INNER, line="POST /channels/ou\0ter HTTP/1.1"),
    "a method of no token": post(LENGTH, body=INNER, line="PO(ST /channels/outer HTTP/1.1"),
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
}  # fmt: skip


def statuses(data):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def is_smuggled(broker):
    with Wire(broker.port) as wire:
        return wire.ask(request("GET", f"/channels{SMUGGLED}")) != 404


@pytest.mark.parametrize("is_second", [False, True], ids=["first", "second"])
def test_refused(broker, is_second):
    """As the first request of a connection, which the WebSocket driver sees, and as a later one."""
    wrong = {}
    with watch(broker):
        for name, attack in REFUSED.items():
            with Wire(broker.port) as wire:
                if is_second:
                    assert wire.ask(request("GET", "/health/live")) == 200
                wire.send(attack)
                answer = wire.read_to_end()
            if statuses(answer) not in ([400], [505]):
                wrong[name] = answer[:300]
        assert not wrong
        assert not is_smuggled(broker)


# The bodies of these are bodies, whatever they hold.
TAKEN = {
    "a body that looks like a request": post(LENGTH, "Content-Type: text/plain", body=INNER),
    "chunks with extensions": post("Transfer-Encoding: chunked", body='1;a=b;c="d"\r\n1\r\n0;e\r\n\r\n'),
    "chunks with a trailer": post(
        "Transfer-Encoding: chunked", body="1\r\n1\r\n0\r\nX: a\r\nY: b\r\n\r\n"
    ),
    "a coding in another case": post("transfer-encoding: CHUNKED", body="1\r\n1\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken_as_one(broker, name):
    with watch(broker), Wire(broker.port) as wire:
        wire.send(TAKEN[name] + request("GET", "/health/live", "Connection: close"))
        first, second = statuses(wire.read_to_end())
        assert first in (200, 400), "no JSON, or a publication"
        assert second == 200
        assert not is_smuggled(broker)


@pytest.mark.parametrize(
    "target, status",
    [
        ("http://127.0.0.1/health/live", 200),
        # The host of the target counts with proxies; ours goes by the field, and lets no other in.
        ("http://evil.example/health/live", 200),
        ("http://127.0.0.1@evil.example/health/live", 200),
        ("evil.example:443", 404),
        ("*", 404),
        ("//evil.example/health/live", 404),
        ("/health/live#x", 404),
        ("/health/../metrics", 404),
        ("/health/%6cive", 404),
        ("/channels/%2e%2e/metrics", 400),
        ("/channels/a%2fb", 404),
        ("/channels/a%00b", 400),
        ("/channels/%c0%ae%c0%ae/a", 400),
        ("/channels/a/../b", 400),
        ("/channels//a", 400),
        ("/channels/meta/subscribe", 404),
        ("/channels/meta/subscribe/x", 404),
        ("/channels/%6deta/handshake", 404),
        ("/channels/service/x", 404),
        ("/channels/**", 400),
        ("/bayeux/\xe9", 400),
    ],
)
def test_targets(broker, target, status):
    """Decoded once, never joined or normalized: a name that is none is refused, and no path leads past a rule."""
    with watch(broker), Wire(broker.port) as wire:
        method = "OPTIONS" if target == "*" else "CONNECT" if target == "evil.example:443" else "GET"
        assert wire.ask(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == status


@pytest.mark.parametrize(
    "name, status", [("meta/subscribe", 403), ("meta/subscribe/x", 403), ("%6deta/handshake", 403), ("meta", 403),
                     ("service/x", 403), ("%2a%2a", 400), ("a/%2e%2e/b", 400)]
)
def test_publishing_where_nobody_may(broker, name, status):
    with watch(broker), Wire(broker.port) as wire:
        assert wire.ask(request("POST", f"/channels/{name}", body="1")) == status


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1\r\nHost: evil.example", "127.0.0.1, evil.example", "[", ""]
)
def test_hosts(broker, host):
    """DNS rebinding: a page whose name points to this machine is no page of this machine."""
    with watch(broker), Wire(broker.port) as wire:
        assert wire.ask(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n") in (400, 421)


def test_an_upgrade_behind_a_request(broker):
    """The handshake is the second request; what follows it are frames, and nothing else."""
    with watch(broker), Wire(broker.port) as wire:
        wire.send(request("GET", "/health/live") + UPGRADE + "\r\n" + INNER)
        assert wire.answer()[0] == 200
        assert b"101" in wire.read_until(b"\r\n\r\n")
        assert wire.close_code()[0] == 1002, "a request is no frame"
        assert not is_smuggled(broker)


@pytest.mark.parametrize("is_split", [False, True], ids=["whole", "split"])
@pytest.mark.parametrize("value", ["upgrade\t", "upgrade \t", "upgrade\t, x", "x, upgrade\t", "x,\tupgrade"])
def test_an_upgrade_with_a_tab(broker, value, is_split):
    """To a parser that knows no tabs the handshake is a request like others, and what follows it one more."""
    head = request("GET", "/health/live")
    handshake = UPGRADE.replace("Connection: Upgrade", f"Connection: {value}") + "\r\n"
    with watch(broker), Wire(broker.port) as wire:
        wire.send(head + handshake + ("" if is_split else INNER))
        assert wire.answer()[0] == 200
        if is_split:
            assert wire.answer()[0] == 400
            wire.send(INNER)
        else:
            assert statuses(wire.read_to_end()) == [400]
        assert not is_smuggled(broker)


@pytest.mark.parametrize("is_second", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("field", [LENGTH, "Transfer-Encoding: chunked"])
def test_an_upgrade_with_a_body(broker, is_second, field):
    """What a proxy takes for a body may hold neither frames nor requests for us."""
    publish = frame(1, b'[{"channel":"/smuggled/here","data":1,"ext":{"fanfare":{"retain":true}}}]').decode("latin-1")
    body = INNER if field == LENGTH else f"{len(publish):x}\r\n{publish}\r\n0\r\n\r\n"
    with watch(broker), Wire(broker.port) as wire:
        if is_second:
            assert wire.ask(request("GET", "/health/live")) == 200
        wire.send(UPGRADE + field + "\r\n\r\n" + body)
        data = wire.read_to_end()
        assert statuses(data) == [400], data
        assert not is_smuggled(broker)


def test_a_refused_upgrade_ends_the_connection(broker):
    with watch(broker), Wire(broker.port) as wire:
        wire.send(UPGRADE + "Origin: https://evil.example\r\n\r\n" + INNER)
        assert statuses(wire.read_to_end()) == [403]
        assert not is_smuggled(broker)


@pytest.mark.parametrize(
    ("method", "target", "protocol"), [("GET", "/health/live", "h2c"), ("POST", "/nothing", "x"), ("CONNECT", "a:1", "x")]
)
def test_another_protocol_is_not_spoken(broker, method, target, protocol):
    """What stands behind such a request is no HTTP: the connection ends, and no proxy has others' requests wait on it."""
    with watch(broker), Wire(broker.port) as wire:
        assert wire.ask(request("GET", "/health/live")) == 200
        wire.send(request(method, target, "Connection: Upgrade", f"Upgrade: {protocol}") + INNER)
        data = wire.read_to_end()
        assert len(statuses(data)) == 1 and b"connection: close" in data.lower(), data
        assert not is_smuggled(broker)


def test_an_event_stream_gathers_nothing(broker):
    """Nobody reads what comes behind a request for another protocol, and nothing else is read of it, either."""
    with watch(broker), Wire(broker.port) as wire:
        wire.send(request("GET", "/channels/a", "Accept: text/event-stream", "Connection: Upgrade", "Upgrade: x"))
        wire.read_until(b"retry")
        assert wire.flood(b"x" * 65536, 5) < 64 << 20


# The first one's answer takes a moment, those behind it none at all.
@pytest.mark.parametrize(("path", "status"), [("/health/live", 200), ("/nothing", 404)])
def test_thousands_of_requests_at_once(broker, path, status):
    """All in one piece, and each of them answered, in order: their number is no depth of a stack."""
    count = 5000
    with watch(broker), Wire(broker.port) as wire:
        first = request("GET", "/health/live")
        wire.send(first + f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * count)
        wire.send(request("GET", "/health/live", "Connection: close"))
        assert statuses(wire.read_to_end()) == [200, *[status] * count, 200]


def test_an_answer_to_who_still_sends(broker):
    """A head that is too long is answered, and no reset takes the answer from a client that has more of it to send."""
    with watch(broker), Wire(broker.port) as wire:
        assert wire.ask(request("GET", "/health/live")) == 200
        wire.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        for _ in range(50):
            assert wire.send("x" * 4096)
        assert statuses(wire.read_until(b"\r\n\r\n")) == [431]

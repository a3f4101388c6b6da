"""Little that becomes much: heads, frames, compressed data, JSON and batches."""

import json
import random
import time

import pytest

from bayeux import Peer
from conftest import watch
from wire import UPGRADE, Wire, batch, bomb, deflated, frame, noise, request

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
MIB = 1 << 20

HEADS = {
    "many fields": ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", "X: y\r\n"),
    "many fields of a handshake": (UPGRADE, "X: y\r\n"),
    "a long field": ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", "y" * 1000),
    "a long name": ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", "y" * 1000),
    "a long target": ("GET /", "y" * 1000),
    "a long method": ("", "Y" * 1000),
    "many extensions": (UPGRADE + "Sec-WebSocket-Extensions: a", ", a; b; c" * 100),
    "an extension's quotes": (UPGRADE + 'Sec-WebSocket-Extensions: a; b="', "\\a" * 500),
    "empty lines": ("", "\r\n" * 500),
}


# Empty lines between requests are no head yet: see `test_slow.py`.
@pytest.mark.parametrize(
    "name, is_second",
    [(name, is_second) for name in HEADS for is_second in (False, True) if name != "empty lines" or not is_second],
)
def test_heads(broker, name, is_second):
    """Twenty megabytes of a head: refused by the sixteenth kilobyte."""
    beginning, piece = HEADS[name]
    with watch(broker, memory=16), Wire(broker.port) as wire:
        if is_second:
            assert wire.ask(request("GET", "/health/live")) == 200
        wire.send(beginning)
        sent = wire.flood((piece * (20_000 // len(piece))).encode(), 3)
        answer = wire.read_to_end()
        # A reset may take the answer away, for we go on sending.
        assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), answer[:200]
        assert sent < 24 * MIB


@pytest.mark.parametrize("length", [1 << 63, (1 << 63) + 1, (1 << 64) - 1, (1 << 63) - 1, 1 << 32, MIB + 1])
@pytest.mark.parametrize("compression", [[], [DEFLATE]], ids=["plain", "compressed"])
def test_lengths(broker, length, compression):
    with watch(broker, memory=16), Wire(broker.port) as wire:
        wire.upgrade(*compression).send(frame(2, b"x", length=length, bits=0x40 if compression else 0))
        assert wire.close_code()[0] in (1002, 1009)
        wire.read_to_end()


def test_fragments_without_end(broker):
    """A byte each, ten million of them: no more is kept than a message may be long, and nothing for each."""
    with watch(broker, memory=16), Wire(broker.port) as wire:
        wire.upgrade().send(frame(1, b" ", final=False))
        piece = frame(0, b" ", final=False)
        sent = wire.flood(piece * 10_000, 20)
        assert sent < 32 * MIB, "the connection ended long before"


def test_fragments_of_nothing(broker):
    """Empty ones never become a message that is too long; they cost no memory."""
    with watch(broker, memory=16), Wire(broker.port) as wire:
        wire.upgrade().send(frame(1, b"", final=False))
        assert wire.flood(frame(0, b"", final=False) * 10_000, 3) > MIB


@pytest.mark.parametrize(
    "name, data, code",
    [
        ("a fragmented ping", frame(9, b"", final=False), 1002),
        ("a long ping", frame(9, b"x" * 126), 1002),
        ("a reserved opcode", frame(3), 1002),
        ("a reserved control opcode", frame(11), 1002),
        ("a reserved bit", frame(1, b"[]", bits=0x10), 1002),
        ("compression that was not agreed on", frame(1, b"[]", bits=0x40), 1002),
        ("a continuation of nothing", frame(0, b"[]"), 1002),
        ("a message within a message", frame(1, b"[", final=False) + frame(1, b"[]"), 1002),
        ("no mask", b"\x81\x02[]", 1003),
        ("half a code", frame(8, b"\x03"), 1002),
        ("a code nobody may send", frame(8, (1005).to_bytes(2, "big")), 1002),
        ("a close that is no UTF-8", frame(8, b"\x03\xe8\xff"), 1002),
        ("overlong UTF-8", frame(1, b'[{"channel":"/a\xc0\xaf","data":1}]'), 1007),
        ("a surrogate", frame(1, b'["\xed\xa0\x80"]'), 1007),
        ("UTF-8 beyond the last character", frame(1, b'["\xf4\x90\x80\x80"]'), 1007),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_frames(broker, name, data, code):
    with watch(broker, memory=16), Wire(broker.port) as wire:
        wire.upgrade().send(data)
        assert wire.close_code()[0] == code
        wire.read_to_end()


@pytest.mark.parametrize("pieces", [1, 500], ids=["whole", "fragmented"])
def test_inflate(broker, pieces):
    """Half a gigabyte of zeros in half a megabyte: 1009 at the first of the gigabytes, whatever the frames."""
    data = bomb(512 * MIB)
    assert len(data) < MIB
    size = len(data) // pieces + 1
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    with watch(broker, memory=24), Wire(broker.port) as wire:
        wire.upgrade(DEFLATE)
        for number, part in enumerate(parts):
            first, last = number == 0, number == len(parts) - 1
            wire.send(frame(1 if first else 0, part, final=last, bits=0x40 if first else 0))
        assert wire.close_code()[0] == 1009
        wire.read_to_end()


def test_inflate_with_the_handshake(broker):
    """Sixty of them in one piece with it: they are no more than others."""
    with watch(broker, memory=24), Wire(broker.port) as wire:
        data = frame(1, deflated(b" " * (MIB - 2)), bits=0x40)
        wire.send((UPGRADE + DEFLATE + "\r\n\r\n").encode() + data * 50 + frame(9, b"still here"))
        wire.read_until(b"\r\n\r\n")
        while wire.frame() != (10, b"still here"):
            pass


@pytest.mark.long
def test_inflate_again_and_again(broker):
    """Each a megabyte of a kilobyte, which is allowed; many of them may not take the loop from others."""
    data = deflated(b" " * (MIB - 2))
    assert len(data) < 2048
    with watch(broker, memory=32), Wire(broker.port) as wire:
        wire.upgrade(DEFLATE)
        wire.flood(frame(1, data, bits=0x40) * 20, 4)


def test_inflated_publications_wait(make_broker):
    """Thousands in one piece: those beyond what one connection may have under way wait, as if they had not come."""
    limits = "limits: {pending-store-operations: 2000, pending-operations-per-connection: 500}\n"
    broker = make_broker(limits + "threads: 1\nchannels: {/kept/**: {history: 10}}\n")
    with watch(broker, memory=32), Wire(broker.port) as wire:
        wire.upgrade(DEFLATE)
        text = json.dumps([{"channel": "/kept/a", "data": 1}] * 500).encode()
        wire.send(frame(1, deflated(text), bits=0x40) * 20 + frame(9, b"that was all"))
        while wire.frame() != (10, b"that was all"):
            pass
        # One that was refused has no number.
        with Wire(broker.port) as other:
            other.send(request("POST", "/channels/kept/a", body="1").encode())
            status, body = other.answer()
            assert status == 200 and json.loads(body)["seq"] == 20 * 500 + 1


def test_end_of_a_session_that_is_held_back(make_broker):
    """What ends with the last session of a connection is not read from: its closing handshake is."""
    broker = make_broker("limits: {pending-operations-per-connection: 50}\ntimeouts: {close: 60s}\nthreads: 1\n")
    with watch(broker), Wire(broker.port) as wire:
        client = wire.upgrade().shake_hands()
        wire.send(
            batch(
                {"channel": "/meta/connect", "clientId": client, "connectionType": "websocket"},
                *[{"channel": "/kept", "data": 1, "ext": {"retain": True}}] * 100,
                {"channel": "/meta/disconnect", "clientId": client},
            )
        )
        while wire.frame()[0] != 8:
            pass
        wire.send(frame(8, b"\x03\xe8"))
        assert wire.read_to_end() == b""


@pytest.mark.long
@pytest.mark.parametrize("data", [b"\xff" * 100, noise(1000), b"\x07" * 50], ids=["bits", "noise", "blocks"])
def test_what_does_not_inflate(broker, data):
    with watch(broker, memory=16), Wire(broker.port) as wire:
        wire.upgrade(DEFLATE).send(frame(1, data, bits=0x40))
        assert wire.close_code()[0] in (1002, 1007)


def fill(piece, size=MIB - 100):
    return ",".join([piece] * (size // (len(piece) + 1)))


JSON = {
    "depth": "[" * 1_000_000,
    "depth of objects": '{"a":' * 200_000,
    "depth in data": '[{"channel":"/bomb","data":' + "[" * 400_000 + "]" * 400_000 + "}]",
    "a number": '[{"channel":"/bomb","data":' + "9" * 1_000_000 + "}]",
    "an exponent": '[{"channel":"/bomb","data":1e' + "9" * 1_000_000 + "}]",
    "backslashes": '[{"channel":"' + "\\" * 1_000_000 + '"}]',
    "escapes": '[{"channel":"' + "\\u0000" * 150_000 + '"}]',
    "many fields": "[{" + fill('"a":1') + "}]",
    "the same field": '[{"channel":"/bomb",' + fill('"data":1') + "}]",
    "empty arrays": "[" + fill("[]") + "]",
    "zeros": "[" + fill("0") + "]",
    "empty objects": "[" + fill("{}") + "]",
    "empty channels": "[" + fill('{"channel":""}') + "]",
    "handshakes": "[" + fill('{"channel":"/meta/handshake"}') + "]",
    "newlines": "\n" * 1_000_000,
    "a long channel": '[{"channel":"/' + "a" * 1_000_000 + '","data":1}]',
    "a deep channel": '[{"channel":"' + "/a" * 500_000 + '","data":1}]',
    "a long id": '[{"channel":"/bomb","data":1,"id":"' + "a" * 1_000_000 + '"}]',
    "a long client id": '[{"channel":"/meta/connect","connectionType":"websocket","clientId":"' + "a" * 1_000_000
    + '"}]',
}  # fmt: skip


@pytest.mark.parametrize("name", JSON)
def test_json(broker, name):
    """Over a WebSocket and by a request: refused, or answered with a name at most twice."""
    text = JSON[name].encode()
    assert len(text) <= MIB
    with watch(broker, memory=24), Wire(broker.port) as wire:
        wire.upgrade().send(frame(1, text) + frame(9, b"still here"))
        received = 0
        while True:
            opcode, payload = wire.frame()
            received += len(payload)
            if (opcode, payload) == (10, b"still here"):
                break
        assert received <= 2 * len(text) + 1000
        with Wire(broker.port) as other:
            head = request("POST", "/bayeux", "Content-Type: application/json", f"Content-Length: {len(text)}")
            other.send(head.encode() + text)
            status, body = other.answer()
            assert status in (200, 400)
            assert len(body) <= 2 * len(text) + 1000


@pytest.mark.parametrize("count", [10_000, 80_000])
def test_subscriptions_of_one_message(broker, count):
    """Refused by the thousand and first: what was announced is no reason to make room for it."""
    text = json.dumps([f"/b/{number}" for number in range(count)])
    with watch(broker, memory=24), Peer(broker) as peer:
        peer.handshake()
        peer.connect()
        assert len(text) < MIB
        peer.socket.send('[{"channel":"/meta/subscribe","id":"all","clientId":"%s","subscription":%s}]'
                         % (peer.client_id, text))  # fmt: skip
        reply = peer.take(lambda message: message.get("id") == "all")
        assert not reply["successful"] and reply["error"] == "429:subscriptions:Limit reached", str(reply)[:500]
        peer.leave()


def test_a_body_that_is_too_large(broker):
    with watch(broker, memory=16), Wire(broker.port) as wire:
        wire.send(request("POST", "/bayeux", f"Content-Length: {8 * MIB}", "Content-Type: application/json"))
        assert wire.answer()[0] == 413
    with watch(broker, memory=16), Wire(broker.port) as wire:
        wire.send(request("POST", "/bayeux", "Transfer-Encoding: chunked", "Content-Type: application/json"))
        wire.flood(b"10000\r\n" + b"\n" * 65536 + b"\r\n", 3)
        answer = wire.read_to_end()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413 ")


MESSAGES = [
    b'[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"],"id":"1"}]',
    b'[{"channel":"/meta/connect","clientId":"0123456789abcdef","connectionType":"websocket","id":"2"}]',
    b'[{"channel":"/meta/subscribe","clientId":"0123456789abcdef","subscription":["/a/**","/b"],"id":"3"}]',
    b'[{"channel":"/a/b","data":{"text":"\\u00e9\xc3\xa9","n":-1.5e-3},"id":"4","ext":{"fanfare":{"ttl":3}}}]',
    b'[{"channel":"/meta/unsubscribe","subscription":"/a"},{"channel":"/meta/disconnect","clientId":""},[],null]',
]
TOKENS = [b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u", b"null", b"1e9", b"-", b"\x00", b"\xff", b"/meta/",
          b"/**", b'"channel"', b'"ext"', b'"clientId"']  # fmt: skip


def mutated(chance):
    message = bytearray(chance.choice(MESSAGES))
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(message))
        match chance.randrange(4):
            case 0:
                message[place] = chance.randrange(256)
            case 1:
                del message[place : place + chance.randint(1, 8)]
            case 2:
                message[place:place] = chance.choice(TOKENS)
            case _:
                other = chance.choice(MESSAGES)
                message[place:] = other[chance.randrange(len(other)) :]
        if not message:
            message = bytearray(b"[]")
    return bytes(message)


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_messages_that_are_almost_right(broker, count):
    """Whatever comes, the broker lives, and goes on to answer."""
    seed = time.time_ns()
    print("seed", seed)
    chance = random.Random(seed)
    with watch(broker, memory=64):
        done = 0
        while done < count:
            with Wire(broker.port) as wire:
                wire.upgrade()
                for _ in range(500):
                    # As a binary frame what is no UTF-8 would end it at once: such messages go by requests, too.
                    message = mutated(chance)
                    done += 1
                    try:
                        message.decode()
                    except UnicodeDecodeError:
                        if done % 50 == 0:
                            with Wire(broker.port) as other:
                                head = request("POST", "/bayeux", f"Content-Length: {len(message)}",
                                               "Content-Type: application/json", "Connection: close")  # fmt: skip
                                other.send(head.encode() + message)
                                assert other.read_to_end().startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 "))
                        continue
                    wire.send(frame(1, message))
                wire.send(frame(9, b"still here"))
                while wire.frame() != (10, b"still here"):
                    pass

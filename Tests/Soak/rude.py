"""What breaks a rule of some protocol; each is given a connection, and need not wait for the answer."""

import json
import socket
import time

from wire import UPGRADE, bomb, deflated, frame, request

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
JSON = "Content-Type: application/json"


def noise(chance, count):
    """So many bytes, the same with the same seed."""
    return chance.randbytes(count)


def stay(chance, seconds):
    """Say nothing for a while, or go at once: how long somebody is there is a part of what they do."""
    time.sleep(chance.choice([0, seconds]))


def reserved_opcode(wire, chance):
    wire.upgrade().send(frame(chance.choice([3, 7, 11, 15]), b"x"))
    assert wire.close_code()[0] == 1002


def without_mask(wire, chance):
    wire.upgrade().send(b"\x81\x02[]")
    assert wire.close_code()[0] == 1003


def not_utf8(wire, chance):
    wire.upgrade().send(frame(1, b"\xff\xfe" + noise(chance, 10)))
    assert wire.close_code()[0] == 1007


def too_large(wire, chance):
    wire.upgrade().send(frame(1, b"", length=chance.choice([1 << 21, 1 << 40, (1 << 63) - 1])))
    assert wire.close_code()[0] == 1009


def inflating_bomb(wire, chance):
    wire.upgrade(DEFLATE).send(frame(1, bomb(4 << 20), bits=0x40))
    assert wire.close_code()[0] == 1009


def garbage_that_inflates(wire, chance):
    wire.upgrade(DEFLATE).send(frame(1, noise(chance, 200), bits=0x40))
    assert wire.close_code()[0] in (1002, 1007)


def unfinished_message(wire, chance):
    """Vanishes within a compressed, fragmented message."""
    data = deflated(b"[" + b" " * 5000)
    wire.upgrade(DEFLATE).send(frame(1, data[: len(data) // 2], final=False, bits=0x40) + frame(9, b"?"))
    assert wire.frame()[0] == 10


def no_batch(wire, chance):
    wire.upgrade()
    for text in (b"", b"{", b"[" * 100, b'[{"channel":1}]', b"null", b'[{"channel":"/meta/handshake"}]', b"[]"):
        wire.send(frame(1, text))
    wire.send(frame(9, b"still there"))
    while wire.frame()[0] != 10:
        pass


def bad_members(wire, chance):
    names = ("/meta/x", "/*", "", "//")
    batch = [{"channel": name, "clientId": "nobody", "subscription": name, "data": 1} for name in names]
    wire.upgrade().send(frame(1, json.dumps(batch).encode()))
    assert wire.frame()[0] == 1


def half_a_head(wire, chance):
    wire.send(UPGRADE[: chance.randrange(len(UPGRADE))])
    stay(chance, 0.5)


def half_a_body(wire, chance):
    wire.send("POST /channels/rude HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{")


def broken_request(wire, chance):
    text = chance.choice([
        "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "POST /bayeux HTTP/1.1\r\nHost: a\r\n"
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + "x" * 20000 + "\r\n\r\n",
    ])  # fmt: skip
    wire.send(text)
    wire.read_to_end()


def pipelined(wire, chance):
    """Many requests at once, and gone before all are answered."""
    wire.send(request("GET", "/fanfare.js") * 20 + request("POST", "/channels/rude", body="1") * 20)
    assert wire.answer()[0] == 200


def pipelined_and_upgraded(wire, chance):
    wire.send(request("GET", "/health/live") + UPGRADE + "\r\n")
    assert wire.answer()[0] == 200
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


def random_bytes(wire, chance):
    wire.send(noise(chance, 500))
    wire.read_to_end()


def old_handshake(wire, chance):
    """draft-hixie-76, with its challenge or without."""
    wire.send(
        "GET /bayeux HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
        "Sec-WebSocket-Key1: 1 8\r\nSec-WebSocket-Key2: 2 4\r\n\r\n"
    )
    if chance.random() < 0.5:
        wire.send(b"abcdefgh")
        wire.read_until(b"\r\n\r\n")
        wire.send(b"\x00[]\xff\xff\x00")


def held_and_gone(wire, chance):
    """A connect that is held for a client that is not there any more."""
    handshake = [{"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}]
    wire.send(request("POST", "/bayeux", JSON, body=json.dumps(handshake)))
    client = json.loads(wire.answer()[1])[0]["clientId"]
    connect = {"channel": "/meta/connect", "clientId": client, "connectionType": "long-polling"}
    wire.send(request("POST", "/bayeux", JSON, body=json.dumps([connect])))
    assert json.loads(wire.answer()[1])[0]["successful"]
    wire.send(request("POST", "/bayeux", JSON, body=json.dumps([connect])))
    stay(chance, 0.1)


def half_closed(wire, chance):
    """Says that it has said everything, and waits for what comes."""
    wire.send(request("GET", "/health/live"))
    wire.socket.shutdown(socket.SHUT_WR)
    wire.read_to_end()


def nothing(wire, chance):
    stay(chance, 1)


ATTACKS = [
    reserved_opcode, without_mask, not_utf8, too_large, inflating_bomb, garbage_that_inflates, unfinished_message,
    no_batch, bad_members, half_a_head, half_a_body, broken_request, pipelined, pipelined_and_upgraded, random_bytes,
    old_handshake, held_and_gone, half_closed, nothing,
]  # fmt: skip

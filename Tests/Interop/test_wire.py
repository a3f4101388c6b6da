"""Bytes that no client of ours would send. Whatever one peer does, a bystander is served as before."""

import socket

import pytest
from websockets.exceptions import ConnectionClosed

from bayeux import Peer
from broker import PATIENCE
from wire import Wire, frame, request

pytestmark = pytest.mark.usefixtures("bystander")

LARGEST_MESSAGE = 1 << 20


@pytest.fixture
def wire(broker):
    with Wire(broker.port) as wire:
        yield wire


def test_upgrade_of_a_connection_in_use(wire):
    """A WebSocket may begin on a connection that has carried requests, as CometD's clients and proxies do it."""
    wire.send(request("POST", "/bayeux", "Content-Type: application/json", body="[]"))
    assert wire.answer() == (200, b"[]")
    wire.upgrade().send(frame(1, b"[]"))
    assert wire.frame() == (1, b"[]")


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_message_too_large(broker, compression):
    """The limit is on the message, so that a small frame that inflates to more is refused as well."""
    with Peer(broker, compression) as peer:
        with pytest.raises(ConnectionClosed) as closed:
            peer.socket.send('"' + "x" * LARGEST_MESSAGE + '"')
            while True:
                peer.socket.recv(PATIENCE)
        assert closed.value.rcvd is not None, "no close frame came"
        assert closed.value.rcvd.code == 1009


def test_text_that_is_not_utf8(wire):
    wire.upgrade().send(frame(1, b'["\xc3\x28"]'))
    assert wire.close_code()[0] == 1007
    wire.read_to_end()


def test_unmasked_frame(wire):
    wire.upgrade().send(b"\x81\x02[]")
    assert wire.close_code()[0] == 1003
    wire.read_to_end()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x13\x37 garbage\r\n\r\n",
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon here\r\n\r\n",
    ],
    ids=["bytes", "a word", "TLS", "a header without colon"],
)
def test_garbage(wire, sent):
    wire.send(sent)
    answer = wire.read_to_end()
    assert answer.startswith(b"HTTP/1.1 400 "), answer


def test_head_without_end(wire, bystander):
    """A head that goes on and on is refused at some size, well before it could hurt."""
    wire.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    bystander.check()
    line, most = b"X-Filler: " + b"a" * 1012 + b"\r\n", 8 << 20
    sent = 0
    while sent < most and wire.send(line):
        sent += len(line)
    assert sent < most, "the broker reads a head without end"
    answer = wire.read_to_end()
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), answer


def test_head_that_stops_halfway(wire, bystander):
    wire.send("GET /bayeux HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr")
    bystander.check()


def test_socket_that_says_nothing(wire, bystander):
    bystander.check()


def test_frame_that_stops_halfway(wire, bystander):
    wire.upgrade().send(frame(1, b"[]")[:-1])
    bystander.check()


def test_half_open_socket(wire):
    """A peer that has ended its side will not answer: the broker ends its own, without waiting."""
    wire.upgrade().socket.shutdown(socket.SHUT_WR)
    wire.read_to_end()


def test_subscriber_that_does_not_read(broker, bystander):
    """Its queue has a bound; the broker may drop messages or the client, others get everything."""
    channel, count, payload = "/wire/flood", 400, "x" * 65536
    with Wire(broker.port, window=4096) as stuck, Peer(broker) as publisher:
        stuck.upgrade()
        publisher.handshake()
        # The session of the publisher, bound to the socket that nobody reads.
        publisher.subscribe(channel)
        stuck.call(channel="/meta/connect", clientId=publisher.client_id, connectionType="websocket")
        with Peer(broker) as reader:
            reader.listen(channel)
            for number in range(count):
                publisher.publish(channel, [number, payload])
                assert reader.next_message()["data"][0] == number
        bystander.check()

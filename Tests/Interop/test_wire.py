"""Bytes that no client of ours would send. Whatever one peer does, a bystander is served as before."""

import base64
import os
import socket
import struct

import pytest
from websockets.exceptions import ConnectionClosed

from bayeux import Peer
from broker import PATIENCE

pytestmark = pytest.mark.usefixtures("bystander")

LARGEST_MESSAGE = 1 << 20
TEXT, CLOSE = 0x81, 0x88


@pytest.fixture
def tcp(broker):
    with socket.create_connection(("127.0.0.1", broker.port), PATIENCE) as connection:
        yield connection


def read_to_end(connection):
    """All that the broker still says; a reset counts as the end."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def receive(connection, size=65536):
    """The next bytes, at least one."""
    data = connection.recv(size)
    assert data, "the broker closed the connection"
    return data


def upgrade(connection):
    """The opening handshake by hand; what follows is up to the test."""
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        "GET /bayeux HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(connection, 1)
    assert head.startswith(b"HTTP/1.1 101 "), head


def frame(first, payload, mask=b"\x00\x00\x00\x00"):
    """A frame of up to 65,535 bytes; the mask of zeros leaves the payload as it is, `None` leaves the mask out."""
    bit, size = (0 if mask is None else 0x80), len(payload)
    header = struct.pack(">BB", first, bit | size) if size < 126 else struct.pack(">BBH", first, bit | 126, size)
    return header + (mask or b"") + payload


def close_code(received):
    """The code of the close frame that ends what was received."""
    index = received.rindex(bytes([CLOSE]))
    return struct.unpack_from(">H", received, index + 2)[0]


def test_upgrade_of_a_connection_in_use(tcp):
    """A WebSocket may begin on a connection that has carried requests, as CometD's clients and proxies do it."""
    body = b"[]"
    tcp.sendall(
        b"POST /bayeux HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n[]"):
        answer += receive(tcp)
    upgrade(tcp)
    tcp.sendall(frame(TEXT, b"[]"))
    answer = b""
    while len(answer) < 4:
        answer += receive(tcp)
    assert answer == frame(TEXT, b"[]", mask=None)


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


def test_text_that_is_not_utf8(tcp):
    upgrade(tcp)
    tcp.sendall(frame(TEXT, b'["\xc3\x28"]'))
    assert close_code(read_to_end(tcp)) == 1007


def test_unmasked_frame(tcp):
    upgrade(tcp)
    tcp.sendall(frame(TEXT, b"[]", mask=None))
    assert close_code(read_to_end(tcp)) == 1002


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
def test_garbage(tcp, sent):
    tcp.sendall(sent)
    answer = read_to_end(tcp)
    assert answer.startswith(b"HTTP/1.1 400 "), answer


def test_head_without_end(tcp, bystander):
    """A head that goes on and on is refused at some size, well before it could hurt."""
    line = b"X-Filler: " + b"a" * 1012 + b"\r\n"
    sent = 0
    try:
        tcp.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        bystander.check()
        while sent < 8 << 20:
            tcp.sendall(line)
            sent += len(line)
    except OSError:
        pass
    assert sent < 8 << 20, "the broker reads a head without end"
    answer = read_to_end(tcp)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), answer


def test_head_that_stops_halfway(tcp, bystander):
    tcp.sendall(b"GET /bayeux HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr")
    bystander.check()


def test_socket_that_says_nothing(tcp, bystander):
    bystander.check()


def test_frame_that_stops_halfway(tcp, bystander):
    upgrade(tcp)
    tcp.sendall(frame(TEXT, b"[]")[:-1])
    bystander.check()


def test_half_open_socket(tcp):
    """A peer that has ended its side will not answer: the broker ends its own, without waiting."""
    upgrade(tcp)
    tcp.shutdown(socket.SHUT_WR)
    read_to_end(tcp)


def test_subscriber_that_does_not_read(broker, bystander):
    """Its queue has a bound; the broker may drop messages or the client, others get everything."""
    channel, count, payload = "/wire/flood", 400, "x" * 65536
    with socket.create_connection(("127.0.0.1", broker.port), PATIENCE) as stuck, Peer(broker) as publisher:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        upgrade(stuck)
        publisher.handshake()
        # The session of the publisher, bound to the socket that nobody reads.
        publisher.subscribe(channel)
        connect = f'[{{"channel":"/meta/connect","clientId":"{publisher.client_id}","connectionType":"websocket"}}]'
        stuck.sendall(frame(TEXT, connect.encode()))
        assert stuck.recv(1)
        with Peer(broker) as reader:
            reader.listen(channel)
            for number in range(count):
                publisher.publish(channel, [number, payload])
                assert reader.next_message()["data"][0] == number
        bystander.check()

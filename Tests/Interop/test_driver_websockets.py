"""Our driver against the `websockets` library for Python, without sockets, with permessage-deflate in every shape."""

import itertools

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from replay import Driver, generator, quoted, random_bytes, random_text

BITS = [None, 9, 12, 15]
SHAPES = list(itertools.product([False, True], [False, True], BITS, BITS))


@pytest.fixture(scope="module")
def ours():
    with Driver.ours() as driver:
        yield driver


class Peer:
    """A websockets protocol and the messages that came out of it."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.messages = []
        self._parts = None

    def receive(self, data):
        if data:
            self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
            elif getattr(event, "opcode", None) in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._take(event)

    def _take(self, frame):
        if frame.opcode is not Opcode.CONT:
            self._parts = (frame.opcode, b"")
        opcode, data = self._parts
        self._parts = (opcode, data + bytes(frame.data))
        if frame.fin:
            data = self._parts[1]
            text = "text " + quoted(data.decode()) if opcode is Opcode.TEXT else f"binary {data.hex()}".strip()
            self.messages.append(text)

    def output(self):
        return b"".join(self.protocol.data_to_send())


def settle(ours, peer, rng):
    """Carry bytes both ways, ours in random pieces, until there are none."""
    while True:
        data = peer.output()
        position = 0
        while position < len(data):
            size = rng.choice([1, 3, 50, len(data)])
            ours.receive(data[position : position + size])
            position += size
        written = ours.take_output()
        if not data and not written:
            return
        peer.receive(written)


def converse(ours, peer, rng, what):
    """Messages in both directions, some in fragments, arrive as they were sent."""
    sent, expected = [], []
    for _ in range(12):
        text, data = random_text(rng), random_bytes(rng)
        match rng.randrange(5):
            case 0:
                ours.call("text " + quoted(text))
                sent.append("text " + quoted(text))
            case 1:
                ours.call("binary " + data.hex())
                sent.append(f"binary {data.hex()}".strip())
            case 2:
                peer.protocol.send_text(text.encode())
                expected.append("text " + quoted(text))
            case 3:
                peer.protocol.send_binary(data)
                expected.append(f"binary {data.hex()}".strip())
            case 4:
                encoded = text.encode()
                middle = rng.randrange(len(encoded) + 1)
                peer.protocol.send_text(encoded[:middle], fin=False)
                peer.protocol.send_ping(b"between")
                peer.protocol.send_continuation(encoded[middle:], fin=True)
                expected.append("text " + quoted(text))
        settle(ours, peer, rng)
    assert ours.take_events("text", "binary", "failed", "closed") == expected, what
    assert peer.messages == sent, what
    peer.protocol.send_close(4000, "bye")
    settle(ours, peer, rng)
    assert ours.take_events("closed") == ['closed 4000 "bye"'], what
    assert peer.protocol.close_rcvd.code == 4000, what


def our_options(no_takeover, request_no_takeover, bits, request_bits):
    words = ["no-context-takeover"] * no_takeover + ["request-no-context-takeover"] * request_no_takeover
    words += [f"window-bits={bits}"] * (bits is not None)
    words += [f"request-window-bits={request_bits}"] * (request_bits is not None)
    return "deflate " + " ".join(words)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_their_client(ours, shape):
    rng = generator("their client", shape)
    server_no, client_no, server_bits, client_bits = shape
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=server_no, client_no_context_takeover=client_no,
        server_max_window_bits=server_bits, client_max_window_bits=client_bits or True,
    )
    for mine in [(False, False, None, None), (True, True, 10, 11)]:
        peer = Peer(ClientProtocol(parse_uri("ws://example.com/"), extensions=[factory], max_size=None))
        ours.begin("server", our_options(*mine))
        peer.protocol.send_request(peer.protocol.connect())
        ours.receive(peer.output())
        ours.call("start")
        settle(ours, peer, rng)
        assert peer.protocol.handshake_exc is None
        assert [extension.name for extension in peer.protocol.extensions] == ["permessage-deflate"]
        assert ours.take_events("open") == ["open hybi-13"]
        converse(ours, peer, rng, (shape, mine))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_their_server(ours, shape):
    rng = generator("their server", shape)
    server_no, client_no, server_bits, client_bits = shape
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=server_no, client_no_context_takeover=client_no,
        server_max_window_bits=server_bits, client_max_window_bits=client_bits,
    )
    for mine in [(False, False, None, None), (True, False, 10, None), (False, False, None, 12)]:
        peer = Peer(ServerProtocol(extensions=[factory], max_size=None))
        ours.begin("client ws://example.com/", our_options(*mine))
        ours.call("start")
        settle(ours, peer, rng)
        assert ours.take_events("open", "failed") == ["open hybi-13"]
        assert [extension.name for extension in peer.protocol.extensions] == ["permessage-deflate"]
        converse(ours, peer, rng, (shape, mine))


def test_a_message_that_inflates_beyond_the_limit(ours):
    """A thousandth of the limit on the wire; refused before it is inflated whole."""
    factory = ClientPerMessageDeflateFactory()
    peer = Peer(ClientProtocol(parse_uri("ws://example.com/"), extensions=[factory], max_size=None))
    ours.begin("server", "maximum-message-bytes 100000", "deflate")
    peer.protocol.send_request(peer.protocol.connect())
    ours.receive(peer.output())
    ours.call("start")
    rng = generator("bomb")
    settle(ours, peer, rng)
    peer.protocol.send_text(b"a" * 100_000)
    settle(ours, peer, rng)
    assert [event[:5] for event in ours.take_events("text")] == ["text "]
    peer.protocol.send_text(b"a" * 100_001)
    settle(ours, peer, rng)
    assert ours.take_events("closed")[0].startswith("closed 1009 ")
    assert peer.protocol.close_rcvd.code == 1009

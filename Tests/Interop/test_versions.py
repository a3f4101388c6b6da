"""Old agents and compression: every WebSocket version subscribes and publishes, beside clients of today."""

import json
import os
import socket
import struct

import pytest

from bayeux import Peer
from broker import PATIENCE

HANDSHAKE = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]}
KEYS = "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"


class OldAgent:
    """A WebSocket client of an old draft, written from the drafts."""

    def __init__(self, broker, version):
        self.is_hixie = version.startswith("hixie")
        self.socket = socket.create_connection(("127.0.0.1", broker.port), PATIENCE)
        self.stream = self.socket.makefile("rb")
        fields = f"Host: 127.0.0.1:{broker.port}\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nOrigin: http://127.0.0.1\r\n"
        body = b""
        if version == "hixie-76":
            fields += KEYS
            body = b"^n:ds[4U"
        elif not self.is_hixie:
            number = version.removeprefix("hybi-").lstrip("0")
            fields += f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {number}\r\n"
        # The first message is in one packet with the handshake.
        request = f"GET /bayeux HTTP/1.1\r\n{fields}\r\n".encode() + body
        self.socket.sendall(request + self.frame([HANDSHAKE]))
        assert b" 101 " in self.stream.readline()
        while self.stream.readline() != b"\r\n":
            pass
        if version == "hixie-76":
            assert self.stream.read(16) == b"8jKS'y:G*Co,Wxa-"
        (self.hello,) = self.receive()
        self.client_id = self.hello["clientId"]

    def frame(self, messages):
        payload = json.dumps(messages).encode()
        if self.is_hixie:
            return b"\x00" + payload + b"\xff"
        mask = os.urandom(4)
        size = len(payload)
        head = struct.pack(">BBH", 0x81, 0xFE, size) if size > 125 else bytes([0x81, 0x80 | size])
        return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    def send(self, *messages):
        self.socket.sendall(self.frame([{"clientId": self.client_id, **message} for message in messages]))

    def receive(self):
        if self.is_hixie:
            assert self.stream.read(1) == b"\x00"
            payload = b""
            while (byte := self.stream.read(1)) != b"\xff":
                payload += byte
        else:
            first, length = self.stream.read(2)
            assert first == 0x81, "a whole text that is not compressed"
            if length == 126:
                (length,) = struct.unpack(">H", self.stream.read(2))
            payload = self.stream.read(length)
        return json.loads(payload)

    def close(self):
        self.stream.close()
        self.socket.close()


@pytest.mark.parametrize("version", ["hixie-75", "hixie-76", "hybi-07", "hybi-08"])
def test_an_old_agent_among_others(broker, version):
    agent = OldAgent(broker, version)
    channel = f"/old/{version}"
    try:
        with Peer(broker) as modern:
            modern.listen(channel)
            agent.send({"channel": "/meta/connect", "connectionType": "websocket"})
            assert agent.receive()[0]["successful"] is True
            agent.send({"channel": "/meta/subscribe", "subscription": channel})
            assert agent.receive()[0]["successful"] is True
            large = {"text": "ä" * 2000}
            modern.publish(channel, large)
            assert agent.receive() == [{"channel": channel, "data": large}]
            assert modern.next_message(channel)["data"] == large
            agent.send({"channel": channel, "id": "1", "data": "old"})
            received = agent.receive() + agent.receive()
            assert {"channel": channel, "data": "old"} in received
            assert modern.next_message(channel)["data"] == "old"
            agent.send({"channel": "/meta/disconnect"})
            assert agent.receive()[-1]["channel"] == "/meta/disconnect"
            modern.leave()
    finally:
        agent.close()


def test_compressed_and_plain_clients_get_the_same(broker):
    messages = ["small", {"text": "x" * 100_000}, {"numbers": list(range(2000))}]
    with Peer(broker, compression="deflate") as compressed, Peer(broker, compression=None) as plain:
        assert [extension.name for extension in compressed.socket.protocol.extensions] == ["permessage-deflate"]
        assert plain.socket.protocol.extensions == []
        compressed.listen("/both")
        plain.listen("/both")
        for _ in range(3):
            for message in messages:
                compressed.publish("/both", message)
                assert compressed.next_message("/both")["data"] == message
                assert plain.next_message("/both")["data"] == message
        compressed.leave()
        plain.leave()

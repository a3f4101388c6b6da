"""Ten thousand Bayeux clients over WebSockets in one thread: just enough of both protocols for a crowd."""

import asyncio
import itertools
import json
import socket
import struct

from broker import PATIENCE

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
MASK = b"\x1f\x2e\x3d\x4c"

# With this a socket that is closed is reset, as by a machine that has lost power and is up again.
RESET = struct.pack("ii", 1, 0)

# Connections that are opened between two looks at what has arrived.
BURST = 50


def client_frame(first, payload):
    """A frame of up to 65,535 bytes, masked."""
    size = len(payload)
    header = struct.pack(">BB", first, 0x80 | size) if size < 126 else struct.pack(">BBH", first, 0xFE, size)
    key = int.from_bytes((MASK * (size // 4 + 1))[:size])
    return header + MASK + (int.from_bytes(payload) ^ key).to_bytes(size)


def take_frames(buffer):
    """The frames that are complete, taken out of a bytearray, as pairs of first byte and payload."""
    while len(buffer) >= 2:
        size, start = buffer[1], 2
        if size == 126 and len(buffer) >= 4:
            size, start = struct.unpack_from(">H", buffer, 2)[0], 4
        assert size <= 126 or start == 4, "no frame of this test is masked or longer than 65,535 bytes"
        if size == 126 and start == 2 or len(buffer) < start + size:
            return
        first, payload = buffer[0], bytes(buffer[start : start + size])
        del buffer[: start + size]
        yield first, payload


class Client(asyncio.Protocol):
    """A session, on one socket after another. What it is told, it tells its crowd."""

    def __init__(self, crowd, number):
        self.crowd = crowd
        self.channel = f"/storm/{number % crowd.channels}"
        self.client_id = None
        self.advice = None
        self.transport = None
        self.heard = []
        self._buffer = bytearray()
        self._upgraded = False
        self._leaving = False

    def connection_made(self, transport):
        self.transport = transport
        self._buffer.clear()
        self._upgraded = self._leaving = False
        transport.write(self.crowd.upgrade)

    def data_received(self, data):
        try:
            self._buffer += data
            if not self._upgraded:
                self._take_head()
            if self._upgraded:
                for first, payload in take_frames(self._buffer):
                    self._take(first, payload)
        except Exception as error:
            self.crowd.fail(error)

    def _take_head(self):
        if (end := self._buffer.find(b"\r\n\r\n")) < 0:
            return
        head = bytes(self._buffer[:end])
        assert head.startswith(b"HTTP/1.1 101 "), head
        del self._buffer[: end + 4]
        self._upgraded = True
        if self.client_id:
            self.connect()
        else:
            self.shake_hands()

    def _take(self, first, payload):
        if first == TEXT:
            for message in json.loads(payload):
                self._hear(message)
        elif first == PING:
            self.transport.write(client_frame(PONG, payload))
        else:
            assert first == CLOSE and self._leaving, f"frame {first:#x} {payload!r}"
            self.transport.write(client_frame(CLOSE, payload))

    def _hear(self, message):
        channel = message["channel"]
        if not channel.startswith("/meta/"):
            assert channel == self.channel, message
            self.heard.append(message["data"])
            self.crowd.arrive(self, message["data"])
        elif not message["successful"]:
            self.advice = message["advice"]
            self.crowd.refusals.append(message)
            self.crowd.arrive(self, "refused")
        elif channel == "/meta/handshake":
            self.client_id = message["clientId"]
            # The first connect is answered at once, the second is held.
            subscribe = self._message("/meta/subscribe", subscription=self.channel)
            self._send(self._connect_message("first"), subscribe, self._connect_message("held"))
        elif channel == "/meta/connect":
            self.crowd.answered += 1
            if message["id"] == "held" and not self._leaving:
                self.connect()
        else:
            self.crowd.arrive(self, channel)

    def connection_lost(self, exception):
        self.transport = None
        if self.crowd.is_losing or self._leaving:
            self.crowd.arrive(self, "lost")
        else:
            self.crowd.fail(AssertionError(f"the broker closed the connection of {self.client_id}: {exception}"))

    def _message(self, channel, **fields):
        return {"channel": channel, "clientId": self.client_id, **fields}

    def _connect_message(self, message_id):
        return self._message("/meta/connect", connectionType="websocket", id=message_id)

    def _send(self, *messages):
        self.transport.write(client_frame(TEXT, json.dumps(messages).encode()))

    def shake_hands(self):
        """Ask for a session; then connect and subscribe."""
        self._send({"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]})

    def follow_advice(self):
        """Shake hands again when the broker told it to, in milliseconds from now."""
        assert self.advice["reconnect"] == "handshake"
        asyncio.get_running_loop().call_later(self.advice["interval"] / 1000, self.shake_hands)

    def connect(self):
        """Take up the session on this socket. When a held connect is answered, the next one follows."""
        self._send(self._connect_message("held"))

    def leave(self):
        """End the session; the broker answers, and closes."""
        self._leaving = True
        self._send(self._message("/meta/disconnect"))

    def lose(self, is_reset):
        """Lose the socket, with no word to the broker but that of TCP."""
        if is_reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


class Crowd:
    """Clients that do everything at the same time, and one thing that all of them are waited for."""

    def __init__(self, broker, size, channels=100):
        self.port = broker.port
        self.channels = channels
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        self.upgrade = (
            f"GET /bayeux HTTP/1.1\r\nHost: 127.0.0.1:{broker.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()
        self.clients = [Client(self, number) for number in range(size)]
        # Unsuccessful replies, and the number of connects that were answered.
        self.refusals = []
        self.answered = 0
        self.is_losing = False
        self._error = None
        self._event = None
        self._missing = set()
        self._all = None

    async def open(self, event):
        """Every client opens a socket, shakes hands or takes up its session; `event` has to be seen at each."""
        loop = asyncio.get_running_loop()

        async def connect(clients):
            await asyncio.gather(
                *(loop.create_connection(lambda client=client: client, "127.0.0.1", self.port) for client in clients)
            )

        await self._each(event, connect)

    async def ask(self, event, action):
        """Every client does something; `event` has to be seen at each."""

        async def act(clients):
            for client in clients:
                action(client)
            await asyncio.sleep(0)  # the others read meanwhile

        await self._each(event, act)

    async def lose(self):
        """Every client loses its socket: one half by a reset, the other by an end of the stream."""
        resets = itertools.cycle([True, False])
        self.is_losing = True
        await self.ask("lost", lambda client: client.lose(next(resets)))
        self.is_losing = False

    async def wait(self, event, start):
        """Until `event` was seen at every client after `start`, which is called once."""
        self._expect(event)
        await start()
        await self._reached()

    async def _each(self, event, act):
        async def start():
            for index in range(0, len(self.clients), BURST):
                await act(self.clients[index : index + BURST])

        await self.wait(event, start)

    def _expect(self, event):
        self._event, self._missing = event, set(self.clients)
        self._all = asyncio.get_running_loop().create_future()
        if self._error:
            raise self._error

    async def _reached(self):
        # Ten thousand take their time on a machine that is busy: it is over when nobody arrives any more.
        done, missing = False, len(self._missing) + 1
        while not done and len(self._missing) < missing:
            missing = len(self._missing)
            done, _ = await asyncio.wait([self._all], timeout=PATIENCE)
        assert done, f"{len(self._missing)} clients did not see {self._event!r}"
        self._all.result()

    def arrive(self, client, event):
        """`client` has seen `event`."""
        if event == self._event:
            self._missing.discard(client)
            if not self._missing and not self._all.done():
                self._all.set_result(None)

    def fail(self, error):
        """End the wait with an error, or the next one if there is none now."""
        self._error = self._error or error
        if self._all and not self._all.done():
            self._all.set_exception(error)

    def drop(self):
        """Close what is still open."""
        self.is_losing = True
        for client in self.clients:
            if client.transport:
                client.transport.abort()

"""A broker that stops sends away whom it serves by HTTP, too: spread over time, and without losing anything."""

import asyncio
import concurrent.futures
import itertools
import json
import re
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request

import pytest

from broker import PATIENCE, serving
from certificates import self_signed
from wire import Wire, batch, frame, request

SPREAD = 20_000
POLLERS = 200
STREAMS = 60
CONFIGURATION = f"""
timeouts: {{ drain-spread: {SPREAD}ms }}
channels:
  /kept/**: {{ history: 1000 }}
"""


@pytest.fixture
def keeper(tmp_path):
    with serving(tmp_path, CONFIGURATION) as broker:
        yield broker


class Connection:
    """One HTTP connection: what is asked over it, and the answers."""

    async def open(self, port):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    def send(self, *messages):
        body = json.dumps(messages).encode()
        head = "POST /bayeux HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def listen(self, path):
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())

    async def head(self):
        return (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()

    async def answer(self):
        head = await self.head()
        assert head.startswith("http/1.1 200"), head
        return json.loads(await self._reader.readexactly(int(re.search(r"content-length: (\d+)", head)[1])))

    async def ask(self, *messages):
        self.send(*messages)
        return await self.answer()

    async def until(self, text):
        return (await self._reader.readuntil(text.encode())).decode()

    async def rest(self):
        try:
            return (await self._reader.read()).decode()
        finally:
            await self.close()

    async def close(self):
        self._writer.close()
        await self._writer.wait_closed()


class Poller:
    """A session over long-polling, subscribed to what is kept."""

    _numbers = itertools.count()

    def __init__(self, transport="long-polling"):
        self._transport = transport
        self._ids = itertools.count(1)
        self.batch = 0
        self.received = []
        self.intervals = []
        # Every other one acknowledges.
        self.acknowledges = transport == "long-polling" and next(self._numbers) % 2 == 0

    def message(self, channel, **fields):
        client = {"clientId": self.client_id} if channel != "/meta/handshake" else {}
        return {"channel": channel, "id": str(next(self._ids)), **client, **fields}

    def connect(self):
        ext = {"ext": {"ack": self.batch}} if self.acknowledges else {}
        return self.message("/meta/connect", connectionType=self._transport, **ext)

    def take(self, messages):
        for message in messages:
            if message["channel"] == "/meta/connect":
                assert message["successful"], message
                self.batch = message.get("ext", {}).get("ack", self.batch)
                self.intervals.append(message["advice"]["interval"])
            elif "data" in message:
                self.received.append(message["data"])

    async def begin(self, port):
        self.connection = await Connection().open(port)
        ext = {"ext": {"ack": True}} if self.acknowledges else {}
        (reply,) = await self.connection.ask(
            self.message("/meta/handshake", version="1.0", supportedConnectionTypes=[self._transport], **ext)
        )
        self.client_id = reply["clientId"]
        self.take(await self.connection.ask(self.connect()))
        (reply,) = await self.connection.ask(self.message("/meta/subscribe", subscription="/kept/**"))
        assert reply["successful"], reply


async def until_held(broker, count):
    """Until so many connects are held, as metrics tell; a request for them is a turn of the broker's loop."""
    await asyncio.to_thread(broker.wait_for_sample, 'fanfare_sessions{state="connected"}', count)


def check_spread(intervals):
    """Every quarter of the spread has its share, within five standard deviations of what chance gives it: no storm."""
    counts = [0] * 4
    for interval in intervals:
        assert 0 <= interval <= SPREAD
        counts[min(interval * 4 // SPREAD, 3)] += 1
    share = len(intervals) / 4
    assert max(share - 5 * share**0.5, 1) <= min(counts) and max(counts) <= share + 5 * share**0.5, counts


async def play(broker):
    pollers = [Poller() for _ in range(POLLERS)]
    await asyncio.gather(*(poller.begin(broker.port) for poller in pollers))
    held_count = POLLERS * 3 // 4
    for poller in pollers[:held_count]:
        poller.connection.send(poller.connect())
    await until_held(broker, held_count)
    # Those that are held get it with the answer, the others are between two polls.
    await asyncio.to_thread(broker.publish, "/kept/a", "first")
    for poller in pollers[:held_count]:
        poller.take(await poller.connection.answer())
        assert poller.received == ["first"] and poller.intervals[-1] == 0
        poller.connection.send(poller.connect())
    await until_held(broker, held_count)

    stopping = asyncio.create_task(asyncio.to_thread(broker.stop))
    for poller in pollers[:held_count]:
        poller.take(await poller.connection.answer())
    assert await asyncio.gather(*(poller.connection.rest() for poller in pollers)) == [""] * POLLERS
    await stopping
    check_spread([poller.intervals[-1] for poller in pollers[:held_count]])

    await asyncio.to_thread(broker.start)
    await asyncio.to_thread(broker.publish, "/kept/a", "second")
    for poller in pollers:
        poller.connection = await Connection().open(broker.port)
        # A held connect that brings nothing is answered when something comes.
        while poller.received[-1:] != ["second"]:
            poller.take(await poller.connection.ask(poller.connect()))
        assert poller.received == ["first", "second"], poller.acknowledges
        await poller.connection.close()


async def play_streams(broker):
    bare = [await Connection().open(broker.port) for _ in range(STREAMS)]
    for stream in bare:
        stream.listen("/channels/kept/**")
        await stream.head()
        await stream.until("\n\r\n")
    clients = [Poller("eventsource") for _ in range(STREAMS)]
    streams = []
    for client in clients:
        await client.begin(broker.port)
        streams.append(await Connection().open(broker.port))
        streams[-1].listen(f"/bayeux/{client.client_id}")
        await streams[-1].head()
        await streams[-1].until("\n\r\n")

    stopping = asyncio.create_task(asyncio.to_thread(broker.stop))
    ends = await asyncio.gather(*(stream.rest() for stream in bare))
    # A second more, lest they ask again and again while nobody listens.
    retries = [int(re.fullmatch(r"retry: (\d+)\r\n\r\n", end)[1]) - 1000 for end in ends]
    check_spread(retries)
    ends = await asyncio.gather(*(stream.rest() for stream in streams))
    for client, end in zip(clients, ends):
        client.take(json.loads(re.search(r"^data: (.*?)\r?$", end, re.M)[1]))
        assert re.search(r"^retry: \d+\r\n\r\n\Z", end, re.M), end
    check_spread([client.intervals[-1] for client in clients])
    await asyncio.gather(*(client.connection.rest() for client in clients))
    await stopping


def test_long_polling(keeper):
    asyncio.run(play(keeper))


def test_event_streams(keeper):
    asyncio.run(play_streams(keeper))


KEEPING = "timeouts: { close: 1s, shutdown: 4s }\nchannels:\n  /kept/**: { history: 10 }\n"


def websocket(broker):
    wire = Wire(broker.port).upgrade()
    return wire, wire.listen("/kept/*")


def event_stream(broker, secure=False):
    with Wire(broker.port).upgrade() as wire:
        client = wire.listen("/kept/*")
    wire = Wire(broker.tls_port if secure else broker.port)
    if secure:
        # Like browsers it does not end TLS, but TCP.
        wire.socket = ssl.create_default_context(cafile=broker.certificate).wrap_socket(
            wire.socket, server_hostname="localhost"
        )
    wire.send(request("GET", f"/bayeux/{client}", "Accept: text/event-stream"))
    wire.read_until(b"retry: ")
    return wire, client


def secure_event_stream(broker):
    return event_stream(broker, secure=True)


def take_all(wire):
    assert wire.close_code()[0] == 1012
    wire.send(frame(8, (1012).to_bytes(2, "big")))
    wire.socket.close()


def take_stream(wire):
    assert b'"data":"first"' in wire.read_to_end()
    wire.socket.close()


def return_to(broker, client):
    """The messages that a session gets when it comes back, up to the last one."""
    received = []
    with Wire(broker.port).upgrade() as wire:
        wire.send(batch({"channel": "/meta/connect", "clientId": client, "connectionType": "websocket"}))
        while received[-1:] != ["last"]:
            opcode, payload = wire.frame()
            received += [message["data"] for message in json.loads(payload) if opcode == 1 and "data" in message]
    return received


WAYS = pytest.mark.parametrize(
    "listen, take", [(websocket, take_all), (event_stream, take_stream), (secure_event_stream, take_stream)]
)


@pytest.fixture
def keeping(tmp_path):
    certificate, key = self_signed(tmp_path)
    tls = f"tls: {{ listen: 127.0.0.1:0, certificate: {certificate}, key: {key} }}\n"
    with serving(tmp_path, KEEPING + tls) as broker:
        broker.certificate, broker.tls_port = certificate, broker.told_port("https")
        yield broker


@WAYS
def test_what_is_taken_does_not_come_again(keeping, listen, take):
    """Nobody is waited for, and how far everybody is is written down all the same."""
    wire, client = listen(keeping)
    keeping.publish("/kept/a", "first")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        stopping = pool.submit(keeping.stop)
        take(wire)
        stopping.result()
    keeping.start()
    keeping.publish("/kept/a", "last")
    assert return_to(keeping, client) == ["last"]


@WAYS
def test_what_was_on_its_way_and_is_not_taken_comes_again(keeping, listen, take):
    """A connection may be dead for a while before anybody knows: what is written to it then is not lost."""
    (present, taker), (silent, other) = listen(keeping), listen(keeping)
    assert keeping.publish("/kept/a", "first")["matched"] == 2
    with concurrent.futures.ThreadPoolExecutor() as pool:
        stopping = pool.submit(keeping.stop)
        take(present)
        stopping.result()
    silent.socket.close()
    keeping.start()
    keeping.publish("/kept/a", "last")
    assert [return_to(keeping, client) for client in (taker, other)] == [["last"], ["first", "last"]]


def test_a_stream_that_was_asked_for_before_and_opens_late_is_sent_away(tmp_path):
    with serving(tmp_path, "timeouts: { shutdown: 20s }\n") as broker, Wire(broker.port) as late, Wire(broker.port) as idle:
        assert [wire.ask(request("GET", "/health/live")) for wire in (late, idle)] == [200, 200]
        late.send(request("GET", "/channels/a", "Accept: text/event-stream", "Content-Length: 1"))
        assert idle.ask(request("GET", "/health/live")) == 200
        with concurrent.futures.ThreadPoolExecutor() as pool:
            stopping = pool.submit(broker.stop)
            assert idle.read_to_end() == b""
            late.send("1")
            assert late.read_to_end().count(b"retry: ") == 2
            late.socket.close()
            stopping.result()


DELAYED = "timeouts: { drain-delay: 10m, shutdown: 20m }\n"
IS_LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_draining(broker):
    try:
        with urllib.request.urlopen(broker.url("/health/ready"), None, PATIENCE):
            return False
    except urllib.error.HTTPError as error:
        assert error.code == 503
        # A broker that stood still for a while is not ready, either.
        return "draining" in error.read().decode()


def wait_until_draining(broker):
    deadline = time.monotonic() + PATIENCE
    while not is_draining(broker):
        assert time.monotonic() < deadline


def test_it_is_seen_before_it_stops(tmp_path):
    """A load balancer has the time to send nobody any more; who comes all the same is served."""
    with serving(tmp_path, DELAYED) as broker:
        broker._process.signal(signal.SIGTERM)
        wait_until_draining(broker)
        assert broker.publish("/a", 1)["matched"] == 0


def test_nobody_is_reset_when_it_stops(tmp_path):
    with serving(tmp_path, "timeouts: { drain-delay: 2s, shutdown: 40s, close: 40s }\n") as broker:
        idle = socket.create_connection(("127.0.0.1", broker.port), PATIENCE)
        idle.sendall(IS_LIVE)
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        start = time.monotonic()
        broker._process.signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        assert time.monotonic() - start >= 2
        # A request that had set off before that was seen.
        idle.sendall(IS_LIVE)
        assert idle.recv(1) == b""
        idle.close()
        assert broker._process.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", broker.port), PATIENCE)


def test_a_second_signal_cuts_it_short(tmp_path):
    with serving(tmp_path, DELAYED) as broker:
        broker._process.signal(signal.SIGTERM)
        wait_until_draining(broker)
        broker._process.signal(signal.SIGTERM)
        assert broker._process.wait() == 128 + signal.SIGTERM

"""A broker that is killed while it replays a history sends the rest when its client is back, whatever the client is."""

import asyncio
import contextlib
import itertools
import json

import pytest
from aiocometd_noloop import Client, Extension
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from broker import PATIENCE, serving

COUNT = 1500
# So large that neither the sockets' buffers nor a page hold more than a part of it.
DATA = "x" * 20_000


@pytest.fixture
def keeping_broker(tmp_path):
    """A broker that keeps every message below /h, and has many there."""
    with serving(tmp_path, "channels:\n  /h/**: {history: 5000}\n") as broker:
        with connect(broker.url("/bayeux", "ws"), max_size=None, open_timeout=PATIENCE, proxy=None) as socket:
            for number in range(COUNT):
                socket.send(json.dumps([{"channel": "/h/a", "data": [number, DATA], "id": str(number)}]))
                assert json.loads(socket.recv(PATIENCE))[0]["successful"]
        yield broker


def kill(broker):
    """End it in the middle of whatever it does, and start it again."""
    broker.kill()
    broker.start()


class Stock:
    """A client that does what Bayeux says and no more: it goes on with its client id, and never asks again."""

    def __init__(self, broker, acknowledges):
        self.broker = broker
        self.acknowledges = acknowledges
        self.batch = -1
        self.client_id = None
        self.numbers = []
        self.ids = map(str, itertools.count(1))

        self.stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def dial(self):
        url = self.broker.url("/bayeux", "ws")
        # One frame at a time: what is not read stays in the sockets' buffers.
        options = dict(max_size=None, max_queue=1, open_timeout=PATIENCE, close_timeout=0, proxy=None)
        self.socket = self.stack.enter_context(connect(url, **options))

    def send(self, channel, **fields):
        client = {"clientId": self.client_id} if self.client_id else {}
        self.socket.send(json.dumps([{"channel": channel, "id": next(self.ids), **client, **fields}]))

    def read(self):
        """Read one frame; the replies in it."""
        replies = []
        for message in json.loads(self.socket.recv(PATIENCE)):
            if "successful" in message:
                replies.append(message)
                self.batch = message.get("ext", {}).get("ack", self.batch)
            else:
                self.numbers.append(message["data"][0])
        return replies

    def reply(self):
        while not (replies := self.read()):
            pass
        assert replies[0]["successful"], replies
        return replies[0]

    def connect(self):
        ext = {"ext": {"ack": self.batch}} if self.acknowledges else {}
        self.send("/meta/connect", connectionType="websocket", **ext)

    def open(self):
        self.dial()
        ext = {"ext": {"ack": True}} if self.acknowledges else {}
        self.send("/meta/handshake", version="1.0", supportedConnectionTypes=["websocket"], **ext)
        self.client_id = self.reply()["clientId"]
        self.connect()
        self.reply()
        self.send("/meta/subscribe", subscription="/h/a", ext={"replay": {"/h/a": -2}})
        self.reply()

    def resume(self):
        self.dial()
        self.connect()

    def read_until(self, count):
        """Read, and answer each connect with the next one, until so many different messages have come."""
        while len(set(self.numbers)) < count:
            if self.read():
                self.connect()


def test_plain(keeping_broker):
    """Without acknowledgements all messages come; some twice, none of them over one connection."""
    with Stock(keeping_broker, acknowledges=False) as client:
        client.open()
        client.connect()
        client.read_until(20)
        kill(keeping_broker)
        with pytest.raises(ConnectionClosed):
            while True:
                client.read()
        first = list(client.numbers)
        assert len(first) < COUNT, "the replay was over before the broker was killed"
        client.resume()
        client.read_until(COUNT)
        assert sorted(set(client.numbers)) == list(range(COUNT))
        for numbers in first, client.numbers[len(first) :]:
            assert numbers == sorted(set(numbers)), "twice over one connection, or not in order"


@pytest.mark.parametrize("moment", ["before the acknowledgement", "behind it"])
def test_acknowledged(keeping_broker, moment):
    """With acknowledgements each message comes once, whenever the broker is killed."""
    with Stock(keeping_broker, acknowledges=True) as client:
        client.open()
        for _ in range(3):
            client.connect()
            client.reply()
        if moment == "behind it":
            client.connect()
            kill(keeping_broker)
            with pytest.raises(ConnectionClosed):
                while True:
                    client.read()
        else:
            kill(keeping_broker)
        first = len(client.numbers)
        assert 0 < first < COUNT, "the replay was over before the broker was killed"
        client.resume()
        client.read_until(COUNT)
        assert client.numbers == list(range(COUNT))
        # And what is live follows.
        keeping_broker.publish("/h/a", [COUNT, ""])
        client.read_until(COUNT + 1)
        assert client.numbers == list(range(COUNT + 1))


def test_cometd(keeping_broker):
    """A client from elsewhere, with an extension that asks for the history as those of Salesforce's clients do."""

    class Replay(Extension):
        async def outgoing(self, payload, headers):
            for message in payload:
                if message["channel"] == "/meta/subscribe":
                    message.setdefault("ext", {})["replay"] = {"/h/a": -2}

        async def incoming(self, payload, headers=None):
            pass

    async def run():
        numbers = []
        options = dict(extensions=[Replay()], connection_timeout=PATIENCE, max_pending_count=10)
        async with Client(keeping_broker.url("/bayeux"), **options) as client:
            await client.subscribe("/h/a")
            while len(numbers) < 20:
                numbers.append((await client.receive())["data"][0])
            await asyncio.to_thread(kill, keeping_broker)
            async with asyncio.timeout(PATIENCE):
                while len(set(numbers)) < COUNT:
                    numbers.append((await client.receive())["data"][0])
        assert sorted(set(numbers)) == list(range(COUNT))

    asyncio.run(run())

"""What all clients of the crash test share: the stage they play on, and a Bayeux session that survives the broker."""

import asyncio
import itertools
import json

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from broker import PATIENCE


class Failure(Exception):
    """The broker broke a promise; the text says what was expected and what was found."""


def require(condition, text):
    """Fail with `text` unless the condition holds."""
    if not condition:
        raise Failure(text)


class Stage:
    """What everybody knows: where the broker is, whether it is up, and whether there is load."""

    def __init__(self, broker):
        self.broker = broker
        self.up = asyncio.Event()
        self.down = asyncio.Event()
        self.load = asyncio.Event()
        self.is_over = False
        # Of the broker's process: a connection may be lost only when its process was killed.
        self.generation = 0
        # With what the broker closed WebSockets; None where it did not.
        self.close_codes = []
        # Orders what happened on the side of the clients.
        self.clock = itertools.count(1)

    def open(self):
        """The broker lets clients in."""
        self.down.clear()
        self.up.set()

    def close(self):
        """The broker is about to be killed."""
        self.generation += 1
        self.up.clear()
        self.down.set()

    def end(self):
        """The broker will not come back: all clients leave."""
        self.close()
        self.is_over = True
        self.up.set()


class Client:
    """A client that comes back whenever the broker does: `run` is its task.

    `bound` is set while it is connected; `progress` is set whenever something has changed that somebody may wait for.
    """

    def __init__(self, stage, name):
        self.stage = stage
        self.name = name
        self.bound = asyncio.Event()
        self.progress = asyncio.Event()

    async def run(self):
        while True:
            await self.stage.up.wait()
            if self.stage.is_over:
                return
            generation = self.stage.generation
            try:
                await self.live()
            except* (WebSocketException, OSError) as lost:
                self.stage.close_codes += [
                    error.rcvd and error.rcvd.code for error in lost.exceptions if isinstance(error, ConnectionClosed)
                ]
                require(generation != self.stage.generation, f"{self.name}: the broker hung up: {lost.exceptions}")
            finally:
                self.bound.clear()
                self.progress.set()

    async def live(self):
        """One connection, until it is lost."""
        raise NotImplementedError

    def bind(self):
        """It is connected."""
        self.bound.set()
        self.progress.set()

    async def until(self, condition, what):
        """Wait until `condition()` holds; `what()` tells what is missing if that takes too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    self.progress.clear()
                    await self.progress.wait()
        except TimeoutError:
            raise Failure(f"{self.name}: {what()}, and nothing more within {PATIENCE} s") from None


class Session(Client):
    """A Bayeux session over WebSockets, one after the other.

    `is_kept` says that the broker has promised to know it: then it must not be told to shake hands again.
    """

    handshake_ext = {}

    def __init__(self, stage, name):
        super().__init__(stage, name)
        self.client_id = None
        self.is_kept = False
        self._ids = (f"{name}-{number}" for number in itertools.count(1))

    async def live(self):
        url = self.stage.broker.url("/bayeux", "ws")
        # Without a bound on its queue, so that what came before the connection was lost is read.
        options = dict(max_size=None, max_queue=None, open_timeout=PATIENCE, ping_interval=None, proxy=None)
        async with connect(url, **options) as self.socket:
            self._waiting = {}
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._begin())

    async def _read(self):
        while True:
            for message in json.loads(await self.socket.recv()):
                if "successful" not in message:
                    self.deliver(message)
                elif waiting := self._waiting.pop(message.get("id"), None):
                    # At once, so that nothing that comes later is read before it.
                    waiting(message)
                else:
                    raise Failure(f"{self.name}: nobody asked for {message}")

    async def _begin(self):
        if self.client_id:
            reply = await self.connect()
            if not reply["successful"]:
                require(not self.is_kept, f"{self.name}: its session is not known any more: {reply}")
                self.client_id = None
        if not self.client_id:
            fields = dict(version="1.0", supportedConnectionTypes=["websocket"], ext=self.handshake_ext)
            reply = await self.ask("/meta/handshake", **fields)
            require(reply["successful"], f"{self.name}: the handshake was refused: {reply}")
            self.client_id = reply["clientId"]
            self.begin()
            reply = await self.connect()
            require(reply["successful"], f"{self.name}: the first connect was refused: {reply}")
        await self.speak()

    async def send(self, message, on_reply):
        """Send a message; `on_reply` is called with the reply. Does not return when the connection is lost."""
        self._waiting[message["id"]] = on_reply
        try:
            await self.socket.send(json.dumps([message]))
        except ConnectionClosed:
            # The reader ends this, behind what was received before.
            await asyncio.get_running_loop().create_future()

    async def ask(self, channel, **fields):
        """Send a message; its reply."""
        reply = asyncio.get_running_loop().create_future()
        client = {"clientId": self.client_id} if self.client_id else {}
        await self.send({"channel": channel, "id": next(self._ids), **client, **fields}, reply.set_result)
        return await reply

    async def connect(self, **fields):
        return await self.ask("/meta/connect", connectionType="websocket", **fields)

    def begin(self):
        """A new session begins."""

    def deliver(self, message):
        raise Failure(f"{self.name}: it is not subscribed, but got {message}")

    async def speak(self):
        """What it does once it is connected."""
        raise NotImplementedError

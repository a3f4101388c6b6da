"""Publishers: they send what was not acknowledged again, under its name, until it is."""

import asyncio
import collections
import dataclasses
import http.client
import json
import random

from broker import PATIENCE

from session import Client, Session, require


@dataclasses.dataclass
class Publication:
    """One publication, known by its publisher and number; times are those of the stage's clock."""

    channel: str
    publisher: str
    number: int
    sent_at: int
    is_acknowledged: bool = False
    # The sequence number in the receipt, if it was published by HTTP.
    receipt: int | None = None

    @property
    def id(self):
        return f"{self.publisher}:{self.number}"

    @property
    def data(self):
        return {"p": self.publisher, "n": self.number}

    @property
    def item(self):
        """What there is to see of it in the log."""
        return self.channel, self.publisher, self.number


class Publishing:
    """What is to be published by one publisher: the same over each transport.

    After a reconnection it sends again what was not acknowledged, and the last one that was, as if its
    acknowledgement had been lost.
    """

    window = 1

    def prepare(self, channels, ledger, seed):
        self.ledger = ledger
        self.unacknowledged = collections.OrderedDict()
        self.resent_count = 0
        self._channels = channels
        self._random = random.Random(f"{seed} {self.name}")
        self._number = 0
        self._last = None

    def again(self):
        """What has to be sent again, in order."""
        again = ([self._last] if self._last else []) + list(self.unacknowledged.values())
        self.resent_count += len(again)
        return again

    async def next(self):
        """The next new publication, when there is load and room in the window."""
        # Some follow each other at once, so that they share a transaction, and some do not: the pauses are the load.
        await asyncio.sleep(self._random.choice([0, 0, 0, 0, 0.02]))
        while not self.stage.load.is_set() or len(self.unacknowledged) >= self.window:
            if self.stage.load.is_set():
                self.progress.clear()
                await self.progress.wait()
            else:
                await self.stage.load.wait()
        self._number += 1
        channel = self._random.choice(self._channels)
        publication = Publication(channel, self.name, self._number, next(self.stage.clock))
        self.unacknowledged[publication.id] = publication
        self.ledger.sent(publication)
        return publication

    def acknowledge(self, publication):
        publication.is_acknowledged = True
        if self.unacknowledged.pop(publication.id, None):
            self._last = publication
        self.progress.set()

    async def settle(self):
        """Wait until everything is acknowledged."""
        await self.until(
            lambda: self.bound.is_set() and not self.unacknowledged,
            lambda: f"no acknowledgement of {list(self.unacknowledged)}",
        )


class BayeuxPublisher(Publishing, Session):
    """Publishes over a WebSocket, with several publications under way."""

    window = 8

    async def speak(self):
        again = self.again()
        self.bind()
        for publication in again:
            await self._publish(publication)
        while True:
            await self._publish(await self.next())

    async def _publish(self, publication):
        def on_reply(reply):
            require(reply["successful"], f"{self.name}: {publication} was refused: {reply}")
            self.is_kept = True
            self.acknowledge(publication)

        fields = dict(channel=publication.channel, id=publication.id, data=publication.data)
        await self.send({**fields, "clientId": self.client_id}, on_reply)

    def begin(self):
        # Under another client id what was sent before would count as something new.
        require(not self.unacknowledged, f"{self.name}: it lost its session with publications under way")


class StateUpdater(BayeuxPublisher):
    """Replaces the retained message of a channel, with increasing numbers."""

    window = 2


class HTTPPublisher(Publishing, Client):
    """Publishes by HTTP, one request at a time, each with an Idempotency-Key."""

    async def live(self):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._speak())

    async def _watch(self):
        await self.stage.down.wait()
        raise ConnectionError("the broker was killed")

    async def _speak(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.stage.broker.port, timeout=PATIENCE)
        try:
            again = self.again()
            self.bind()
            for publication in again:
                await self._publish(connection, publication)
            while True:
                await self._publish(connection, await self.next())
        except http.client.HTTPException as error:
            raise ConnectionError(repr(error)) from error
        finally:
            connection.close()

    async def _publish(self, connection, publication):
        status, receipt = await asyncio.to_thread(self._post, connection, publication)
        require(status == 200, f"{self.name}: {publication} was refused with {status}: {receipt}")
        known = publication.receipt or receipt["seq"]
        require(receipt["seq"] == known, f"{self.name}: {publication} was sent again, the receipt is now {receipt}")
        publication.receipt = receipt["seq"]
        self.acknowledge(publication)

    @staticmethod
    def _post(connection, publication):
        headers = {"Content-Type": "application/json", "Idempotency-Key": publication.id}
        connection.request("POST", "/channels" + publication.channel, json.dumps(publication.data), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

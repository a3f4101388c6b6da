"""Subscribers: they check what they get as it comes, and know what they are still waiting for."""

from session import Session, require

PATTERNS = ["/full/**", "/normal/**"]

# Milliseconds for which a connect is held. The next one tells the broker that this one's answer was read, and all
# before it, so that after a crash not everything comes again.
HOLD = 200


class Subscriber(Session):
    """A subscriber without acknowledgements: after a reconnection it may get again what it has, but it misses nothing.

    Over one connection sequence numbers increase. What it got, and what it was told that it missed, is kept until the
    checker has compared it (`forget`).
    """

    def __init__(self, stage, name, ledger):
        super().__init__(stage, name)
        self.delivery_count = 0
        self.repeat_count = 0
        self._ledger = ledger
        # Publications that were sent later than this are due to it.
        self._subscribed_at = None
        self._received = {}
        self._gaps = []
        self._compared = 0
        self._last = 0

    async def live(self):
        self._last = 0
        await super().live()

    async def speak(self):
        if not self.is_kept:
            reply = await self.ask("/meta/subscribe", subscription=PATTERNS)
            require(reply["successful"], f"{self.name}: the subscription was refused: {reply}")
            self.is_kept = True
            self._subscribed_at = next(self.stage.clock)
        self.bind()
        while True:
            reply = await self.connect(advice={"timeout": HOLD})
            require(reply["successful"], f"{self.name}: a connect was refused: {reply}")

    def deliver(self, message):
        self.delivery_count += 1
        self.progress.set()
        ext = message.get("ext", {})
        if gap := ext.get("gap"):
            self._gaps.append((message["channel"], gap.get("from", 0), gap.get("to", 0)))
            return
        require("seq" in ext and "epoch" in ext, f"{self.name}: a sequence number and an epoch are due to {message}")
        self._check_order(message, ext["seq"])
        self._ledger.check_epoch(ext["epoch"], message)
        item = (message["channel"], message["data"]["p"], message["data"]["n"])
        known = self._received.get(ext["seq"]) or self._ledger.stored.get(ext["seq"])
        require(known in (None, item), f"{self.name}: {ext['seq']} was {known}, but now it is {message}")
        if ext["seq"] <= self._compared or ext["seq"] in self._received:
            self.repeat_count += 1
        self._received[ext["seq"]] = item

    def _check_order(self, message, sequence):
        require(sequence > self._last, f"{self.name}: over one connection {self._last} came before {message}")
        self._last = sequence

    async def catch_up(self, stored):
        """Wait until nothing of what is stored (publications by sequence number) is missing."""
        newest = dict([max(stored.items())]) if stored else {}

        def is_complete():
            # The newest one comes last: there is no need to look for all of them before.
            return self.bound.is_set() and not self._missing(newest) and not self._missing(stored)

        await self.until(is_complete, lambda: f"of {len(stored)} stored ones it misses {self._missing(stored)[:5]}")

    def forget(self, stored):
        """What is stored was compared with what came: nothing else may have come."""
        unknown = {sequence: item for sequence, item in self._received.items() if sequence not in self._ledger.stored}
        require(not unknown, f"{self.name}: it was sent what is not stored: {list(unknown.items())[:5]}")
        self._compared = max(stored, default=self._compared)
        self._received.clear()
        self._gaps.clear()

    def _missing(self, stored):
        """Those that it neither got nor was told to be lost."""
        return [
            (sequence, publication)
            for sequence, publication in stored.items()
            if sequence not in self._received
            and publication.sent_at > self._subscribed_at
            and not any(name == publication.channel and first <= sequence <= last for name, first, last in self._gaps)
        ]


class AcknowledgingSubscriber(Subscriber):
    """A subscriber with CometD's acknowledgements: messages come with replies to connects, whose numbers it returns.

    Whatever comes, comes in answer to a connect that acknowledged all batches before: none of it may come again.
    """

    handshake_ext = {"ack": True}

    def begin(self):
        self._batch = 0
        # The last sequence number of complete batches, and of those that the last connect acknowledged.
        self._complete = 0
        self._acknowledged = 0

    async def connect(self, **fields):
        self._acknowledged = self._complete
        reply = await super().connect(ext={"ack": self._batch}, **fields)
        if reply["successful"]:
            self._batch = reply.get("ext", {}).get("ack")
            require(self._batch is not None, f"{self.name}: no number of a batch in {reply}")
            # What came over an earlier connection without such a reply is in no complete batch.
            self._complete = max(self._complete, self._last)
        return reply

    def deliver(self, message):
        require("gap" not in message.get("ext", {}), f"{self.name}: all of the history is kept, but {message}")
        super().deliver(message)

    def _check_order(self, message, sequence):
        super()._check_order(message, sequence)
        through = self._acknowledged
        require(sequence > through, f"{self.name}: all up to {through} was acknowledged, but there comes {message}")

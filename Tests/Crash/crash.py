"""Kill the broker again and again under load, on one database; check after each restart what it promised to keep."""

import argparse
import asyncio
import collections
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from broker import Broker

from checker import Ledger, check_files
from publishers import BayeuxPublisher, HTTPPublisher, StateUpdater
from session import Failure, Stage
from subscribers import AcknowledgingSubscriber, Subscriber

CHANNELS = ["/full/a", "/full/b", "/normal/a", "/normal/b"]
STATES = ["/state/1", "/state/2"]
CONFIGURATION = """\
channels:
  /full/**: {history: 1000000, durability: full}
  /normal/**: {history: 1000000, durability: normal}
  /state/**: {retain: true, durability: full}
"""


class MortalBroker(Broker):
    """A broker that can be held for a moment, and killed at any point of its start."""

    longest_restart = 0.0

    def start(self):
        self.port = 0  # any port that is free now
        began = time.monotonic()
        super().start()
        self.longest_restart = max(self.longest_restart, time.monotonic() - began)
        return self

    async def hold(self, seconds):
        """Stop it for so long, as a machine does that is busy elsewhere."""
        self.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.signal(signal.SIGCONT)


class Play:
    """The rounds: everybody is connected, there is load, the broker dies and comes back, and accounts are settled."""

    def __init__(self, broker, seed):
        self.broker = broker
        self.seed = seed
        self.round = 0
        self.stage = Stage(broker)
        self.ledger = Ledger(CHANNELS, STATES)
        self._counts = collections.Counter()
        # What was stored since the subscribers were asked last.
        self._stored = {}
        # Their tasks, by clients; and who goes away without a word after the next round.
        self._tasks = {}
        self._leaving = []
        self._random = random.Random(seed)
        self.publishers = [
            *(self._publisher(BayeuxPublisher, f"ws{number}", CHANNELS) for number in range(3)),
            *(self._publisher(HTTPPublisher, f"http{number}", CHANNELS) for number in range(2)),
            *(self._publisher(StateUpdater, f"state{number}", [name]) for number, name in enumerate(STATES)),
        ]
        self.subscribers = [
            *(AcknowledgingSubscriber(self.stage, f"ack{number}", self.ledger) for number in range(2)),
            *(Subscriber(self.stage, f"plain{number}", self.ledger) for number in range(2)),
        ]

    def _publisher(self, kind, name, channels):
        publisher = kind(self.stage, name)
        publisher.prepare(channels, self.ledger, self.seed)
        return publisher

    async def run(self, rounds):
        """Play that many rounds; raises an exception group with the first failure."""
        async with asyncio.TaskGroup() as self._group:
            for client in self.publishers + self.subscribers:
                self._admit(client)
            try:
                await self._start()
                await self._settle()
                for self.round in range(1, rounds + 1):
                    await self._play()
                await asyncio.to_thread(self.ledger.check_all, self.broker)
            finally:
                self.stage.end()
                self.broker.kill()

    async def _play(self):
        chance = self._random
        newcomer = self._newcomer()
        life, arrival = chance.uniform(0.1, 1.5), chance.uniform(0, 1.5)
        faults = chance.choices(["hold", "kill early", "kill late"], k=2) if chance.random() < 0.6 else []
        self.stage.load.set()
        # It dies at any moment, and whoever comes new comes at any moment: that is what the seed chooses.
        if arrival < life:
            await asyncio.sleep(arrival)
            self._join(newcomer)
            await asyncio.sleep(life - arrival)
        else:
            await asyncio.sleep(life)
        if "hold" in faults:
            await self.broker.hold(chance.uniform(0, 0.3))
            await asyncio.sleep(chance.choice([0, 0.01, 0.05]))
        await self._crash()
        if "kill early" in faults:
            await self._start_in_vain(chance.uniform(0, 0.2))
        await self._start()
        if "kill late" in faults:
            # While clients come back, and send again what they have to.
            await asyncio.sleep(chance.uniform(0, 0.2))
            await self._crash()
            await self._start()
        await self._settle()
        self._dismiss(newcomer)

    def _admit(self, client):
        self._tasks[client] = self._group.create_task(client.run())

    def _join(self, newcomer):
        """Somebody new comes in, and subscribes."""
        self._admit(newcomer)
        self.subscribers.append(newcomer)

    def _dismiss(self, newcomer):
        """Whoever came a round ago goes without a word; the newcomer, if there is one, after the next round."""
        for client in self._leaving:
            self._tasks.pop(client).cancel()
            self.subscribers.remove(client)
            self._count(client)
        self._leaving = [newcomer] if newcomer in self.subscribers else []

    def _newcomer(self):
        kind = self._random.choice([AcknowledgingSubscriber, Subscriber])
        return kind(self.stage, f"newcomer{self.round}", self.ledger)

    async def _start(self):
        """Start the broker. Before clients come back, and send again what may be lost, everything promised is there."""
        try:
            await asyncio.to_thread(self.broker.start)
        except AssertionError as error:
            raise Failure(f"the broker did not start: {error}") from error
        self._stored |= await asyncio.to_thread(self.ledger.check, self.broker)
        self.stage.open()

    async def _start_in_vain(self, seconds):
        """Start the broker, and kill it while it recovers."""
        starting = asyncio.create_task(asyncio.to_thread(self.broker.start))
        await asyncio.wait([starting], timeout=seconds)
        self.broker.kill()
        try:
            await starting
        except AssertionError:
            pass  # its output ended before the banner
        self.broker.kill()  # if it was not there yet a moment ago
        await asyncio.to_thread(check_files, self.broker.database)

    async def _crash(self):
        self.stage.close()
        self.broker.kill()
        await self._after_death()

    async def _after_death(self):
        """The load stops, everybody hears that the broker is gone, and its files are whole."""
        self.stage.load.clear()
        for client in self._tasks:
            await client.until(lambda client=client: not client.bound.is_set(), lambda: "it hears a dead broker")
        await asyncio.to_thread(check_files, self.broker.database)

    async def _settle(self):
        """Everybody is back: what was under way is acknowledged, stored once, and with the subscribers."""
        for publisher in self.publishers:
            await publisher.settle()
        self._stored |= await asyncio.to_thread(self.ledger.check, self.broker)
        for subscriber in self.subscribers:
            await subscriber.catch_up(self._stored)
        for subscriber in self.subscribers:
            subscriber.forget(self._stored)
        self._stored = {}

    def _count(self, subscriber):
        self._counts["deliveries"] += subscriber.delivery_count
        kind = "ack" if isinstance(subscriber, AcknowledgingSubscriber) else "plain"
        self._counts[kind] += subscriber.repeat_count

    def summary(self):
        """One line of counts."""
        for subscriber in self.subscribers:
            self._count(subscriber)
        resent = sum(publisher.resent_count for publisher in self.publishers)
        counts = self._counts
        return (
            f"{self.round} rounds, {self.ledger.acknowledged_count} publications acknowledged, {resent} sent again, "
            f"{counts['deliveries']} deliveries, {counts['plain']} duplicates without acknowledgements, "
            f"{counts['ack']} with, longest restart {self.broker.longest_restart * 1000:.0f} ms"
        )


def first_failure(group):
    """The failure that ended the play; None if it was something else."""
    failures = group.subgroup(Failure)
    while isinstance(failures, BaseExceptionGroup):
        failures = failures.exceptions[0]
    return failures


def main(play_type=Play, description=__doc__, rounds=20):
    """Play it, with the number of rounds and the seed that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("rounds", nargs="?", type=int, default=rounds)
    parser.add_argument("seed", nargs="?", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--config", type=pathlib.Path, help="a configuration file in place of the usual one")
    options = parser.parse_args()
    print("seed", options.seed, flush=True)

    folder = pathlib.Path(tempfile.mkdtemp(prefix="fanfare-crash-"))
    configuration = folder / "fanfare.yaml"
    configuration.write_text(options.config.read_text() if options.config else CONFIGURATION)
    broker = MortalBroker(folder / "fanfare.db", folder / "broker.log", "--config", configuration)
    play = play_type(broker, options.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        asyncio.run(play.run(options.rounds))
    except BaseExceptionGroup as group:
        print(f"seed {options.seed}, round {play.round}: {first_failure(group)}", file=sys.stderr)
        print(f"the database and the broker's log are in {folder}", file=sys.stderr)
        if not first_failure(group):
            raise
        sys.exit(1)
    finally:
        broker.kill()
    shutil.rmtree(folder)
    print(play.summary())


if __name__ == "__main__":
    main()

"""Kill brokers, publishers and subscribers at random: `publish --spool` and `subscribe --state --exec` lose nothing.

    cli_crash.py [ROUNDS] [SEED]

Numbered lines go through an outbox; subscribers run a command for each message. What has to hold, however often
whoever is killed: every line that is in the outbox, or whose publisher ended well, is stored once and in order; every
command runs at least once for each message; and it runs twice only for what was under way when its subscriber was
killed, which is one message, or as many as may run at a time.
"""

import argparse
import collections
import contextlib
import pathlib
import random
import socket
import sys
import tempfile
import time

from broker import Broker

from checker import read
from cli_clients import CHANNEL, Outbox, Worker
from session import Failure

CONFIGURATION = "channels:\n  /jobs/**: {history: 10000000}\n"
PAGE = 1000
# Of the rounds after which everything is looked at.
INTERVAL = 10


def lasting_port(chance):
    """One that is free, and that the system does not give to others while the broker is down."""
    while True:
        port = chance.randint(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Play:
    """The rounds."""

    def __init__(self, folder, seed):
        self._chance = random.Random(seed)
        configuration = folder / "fanfare.yaml"
        configuration.write_text(CONFIGURATION)
        self._broker = Broker(folder / "fanfare.db", folder / "broker.log", "--config", configuration)
        self._broker.port = lasting_port(self._chance)
        self._outbox = Outbox(self._broker, folder, self._chance)
        self._workers = [
            Worker(self._broker, folder, "one by one", 1), Worker(self._broker, folder, "four at a time", 4),
        ]
        self._counts = collections.Counter()

    def run(self, rounds):
        try:
            self._broker.start()
            for worker in self._workers:
                worker.start()
            for number in range(1, rounds + 1):
                self._play()
                if number % INTERVAL == 0 or number == rounds:
                    self._settle()
                    print(f"  round {number}: {self._outbox.published} lines", flush=True)
        finally:
            for worker in self._workers:
                worker.stop()
            self._broker.kill()
        kills = self._outbox.kills + sum(worker.kills for worker in self._workers) + self._counts["broker"]
        repeated = ", ".join(f"{worker.repeated} by {worker.kills} kills" for worker in self._workers)
        victims = f"{self._counts['broker']} of brokers, {self._outbox.kills} of publishers"
        print(
            f"{rounds} rounds, {kills} kills ({victims}): "
            f"{self._outbox.published} lines, each stored once and in order; commands run again: {repeated}"
        )

    def _play(self):
        chance = self._chance
        self._outbox.start()
        victims = [self._crash] * (chance.random() < 0.6) + [self._outbox.kill] * (chance.random() < 0.6)
        victims += [lambda worker=worker: self._replace(worker) for worker in self._workers if chance.random() < 0.5]
        chance.shuffle(victims)
        # Whoever is killed is killed at any moment: that is what the seed chooses, and so it does the time for which
        # the broker stays away.
        for victim in victims:
            time.sleep(chance.choice([0, chance.uniform(0, 0.02), chance.uniform(0, 0.2)]))
            victim()
        self._outbox.finish(self._stored)

    def _crash(self):
        self._broker.kill()
        self._counts["broker"] += 1
        time.sleep(self._chance.choice([0, 0, self._chance.uniform(0, 0.3)]))
        self._broker.start()

    @staticmethod
    def _replace(worker):
        worker.kill()
        worker.start()

    def _history(self):
        since = 0
        while page := read(self._broker, f"{CHANNEL}?since={since}&limit={PAGE}"):
            for message in page:
                since = message["ext"]["seq"]
                yield message["data"]

    def _stored(self):
        return max(self._history(), default=0)

    def _settle(self):
        """Nothing is under way: every line is stored once, in order, and every command has run for it."""
        self._outbox.flush()
        stored = list(self._history())
        wanted = list(range(1, self._outbox.published + 1))
        if stored != wanted:
            counts = collections.Counter(stored)
            twice = [number for number, count in counts.items() if count > 1]
            raise Failure(f"lost: {sorted(set(wanted) - set(stored))[:5]}, twice: {twice[:5]}, of {len(wanted)} lines")
        for worker in self._workers:
            worker.check(self._outbox.published)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=100)
    parser.add_argument("seed", nargs="?", type=int, default=random.randrange(10_000))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fanfare-cli-crash-") as folder:
        try:
            Play(pathlib.Path(folder), arguments.seed).run(arguments.rounds)
        except Failure as failure:
            sys.exit(f"failed: {failure}")


if __name__ == "__main__":
    main()

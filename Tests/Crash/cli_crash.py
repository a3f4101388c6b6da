"""Kill brokers, publishers and subscribers at random: `publish --spool` and `subscribe --state --exec` lose nothing.

    cli_crash.py [ROUNDS] [SEED]

Numbered lines go through an outbox; subscribers run a command for each message. What has to hold, however often whoever
is killed: every line that is in the outbox, or whose publisher ended well, is stored once and in order; every command runs
at least once for each message; and it runs twice only for what was under way when its subscriber was killed, which is one
message, or as many as may run at a time.
"""

import argparse
import collections
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from broker import PATIENCE, PROGRAMS, Broker

from checker import read
from session import Failure, require

CHANNEL = "/jobs/lines"
CONFIGURATION = "channels:\n  /jobs/**: {history: 10000000}\n"
PAGE = 1000
# Of the rounds after which everything is looked at.
INTERVAL = 10


class Outbox:
    """`broker-cli publish --spool`, in the hands of a script that knows which of its lines are safe."""

    def __init__(self, broker, folder, chance):
        self._broker = broker
        self._spool = folder / "spool"
        self._input = folder / "lines"
        self._chance = chance
        self.published = 0
        self.kills = 0

    def start(self):
        """Publish some more lines."""
        last = self.published + self._chance.randint(1, 200)
        self._input.write_text("".join(f"{number}\n" for number in range(self.published + 1, last + 1)))
        with open(self._input, encoding="utf-8") as lines:
            self._process = subprocess.Popen(
                self._command("publish", CHANNEL, "-", "--spool", self._spool, "--retry", "60"),
                stdin=lines, stderr=subprocess.PIPE,
            )
        self._last = last

    def kill(self):
        """Kill it, if it still runs; a script then looks which lines are safe."""
        if self._process.poll() is None:
            self._process.kill()
            self.kills += 1

    def finish(self, stored):
        """Wait for its end. Returns when it is known what was published; `stored()` is how far the broker is."""
        errors = self._process.communicate(timeout=3 * PATIENCE)[1].decode()
        require(self._process.returncode in (0, -9), f"the publisher ended with {self._process.returncode}: {errors}")
        if self._process.returncode == 0:
            self.published = self._last
        else:
            self.published = max([self.published, stored(), *self._waiting()])

    def _waiting(self):
        """The numbers in the outbox."""
        for segment in self._spool.glob("*.segment"):
            for line in segment.read_text(encoding="utf-8").splitlines():
                yield int(line.rpartition('"data":')[2].rstrip("}"))

    def flush(self):
        """Send what waits."""
        ended = subprocess.run(
            self._command("flush", self._spool, "--retry", "60"), capture_output=True, timeout=3 * PATIENCE
        )
        require(ended.returncode == 0, f"flush ended with {ended.returncode}: {ended.stderr.decode()}")

    def _command(self, *arguments):
        return [str(part) for part in (PROGRAMS / "broker-cli", "--url", self._broker.url("/bayeux"), *arguments)]


class Worker:
    """`broker-cli subscribe --state --exec`, whose command writes down what it is called for."""

    def __init__(self, broker, folder, name, concurrency):
        self._broker = broker
        self._state = folder / f"{name}.state"
        self._log = folder / f"{name}.log"
        self._errors = folder / f"{name}.errors"
        self._name = name
        self._concurrency = concurrency
        self._process = None
        self.kills = 0

    def start(self):
        command = [
            PROGRAMS / "broker-cli", "--url", self._broker.url("/bayeux"), "subscribe", "/jobs/*", "--all", "--retry", "60",
            "--state", self._state, "--exec", f"cat >>'{self._log}'", "--exec-concurrency", self._concurrency,
        ]
        with open(self._errors, "a", encoding="utf-8") as errors:
            self._process = subprocess.Popen([str(part) for part in command], stderr=errors)

    def kill(self):
        self.require_running()
        self._process.kill()
        self._process.wait()
        self.kills += 1

    def require_running(self):
        require(self._process.poll() is None, f"{self._name} has ended: {self._errors.read_text(encoding='utf-8')}")

    def stop(self):
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def check(self, last):
        """Wait until its commands have run for every line, and count how often."""
        # It may have fallen far behind, but goes on: each command is a process, and each position a sync.
        deadline, count = time.monotonic() + PATIENCE, 0
        while set(seen := self._seen()) != set(range(1, last + 1)):
            self.require_running()
            if len(seen) > count:
                deadline, count = time.monotonic() + PATIENCE, len(seen)
            missing = sorted(set(range(1, last + 1)) - set(seen))
            said = self._errors.read_text(encoding="utf-8").splitlines()[-4:]
            state = self._state.read_text(encoding="utf-8") if self._state.exists() else "no position"
            require(
                time.monotonic() < deadline,
                f"{self._name}: no command has run for {missing[:5]}; it is at {state.strip()} and has said {said}",
            )
            time.sleep(0.05)
        self.repeated = len(seen) - last
        allowed = self.kills * self._concurrency
        require(self.repeated <= allowed, f"{self._name}: {self.repeated} commands too many, for {self.kills} kills")
        if self._concurrency == 1:
            highest = 0
            for number in seen:
                require(number <= highest + 1, f"{self._name}: the command for {number} follows that for {highest}")
                highest = max(highest, number)

    def _seen(self):
        text = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        return [int(line) for line in text.splitlines()]


class Play:
    """The rounds."""

    def __init__(self, folder, seed):
        self._chance = random.Random(seed)
        configuration = folder / "fanfare.yaml"
        configuration.write_text(CONFIGURATION)
        # Outside of the ports that systems give to others while the broker is down.
        self._broker = Broker(folder / "fanfare.db", folder / "broker.log", "--config", str(configuration))
        self._broker.port = self._chance.randint(20_000, 32_000)
        self._outbox = Outbox(self._broker, folder, self._chance)
        self._workers = [
            Worker(self._broker, folder, "one by one", 1), Worker(self._broker, folder, "four at a time", 4)
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
        print(
            f"{rounds} rounds, {kills} kills ({self._counts['broker']} of brokers, {self._outbox.kills} of publishers): "
            f"{self._outbox.published} lines, each stored once and in order; commands run again: {repeated}"
        )

    def _play(self):
        chance = self._chance
        self._outbox.start()
        victims = [self._crash] * (chance.random() < 0.6) + [self._outbox.kill] * (chance.random() < 0.6)
        victims += [lambda worker=worker: self._replace(worker) for worker in self._workers if chance.random() < 0.5]
        chance.shuffle(victims)
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

"""Those who are killed: a publisher with an outbox, and a subscriber that runs a command for each message."""

import os
import subprocess
import threading

from broker import PATIENCE, PROGRAMS

from session import Failure, require

CHANNEL = "/jobs/lines"


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


class Calls(threading.Thread):
    """The numbers that commands write into a named pipe, as they come: each at once, however many write."""

    def __init__(self, path):
        super().__init__(daemon=True)
        os.mkfifo(path)
        # For writing, too, so that it has no end while nobody writes.
        self._pipe = os.fdopen(os.open(path, os.O_RDWR), "r", encoding="utf-8")
        self._numbers = []
        self._changed = threading.Condition()
        self.start()

    def run(self):
        for line in self._pipe:
            with self._changed:
                self._numbers.append(int(line))
                self._changed.notify_all()

    def wait_for(self, wanted):
        """Wait until all of these have come: every number that has, in order, and those that are missing all the same.

        It may take long as long as it goes on: each command is a process, and each position a sync.
        """
        missing, goes_on = set(wanted), True
        with self._changed:
            missing -= set(self._numbers)
            while missing and goes_on:
                goes_on = self._changed.wait(PATIENCE)
                missing -= set(self._numbers)
            return self._numbers[:], sorted(missing)


class Worker:
    """`broker-cli subscribe --state --exec`, whose command tells what it is called for."""

    def __init__(self, broker, folder, name, concurrency):
        self._broker = broker
        self._state = folder / f"{name}.state"
        self._pipe = folder / f"{name}.pipe"
        self._errors = folder / f"{name}.errors"
        self._name = name
        self._concurrency = concurrency
        self._calls = Calls(self._pipe)
        self._process = None
        self.kills = 0

    def start(self):
        command = [
            PROGRAMS / "broker-cli", "--url", self._broker.url("/bayeux"), "subscribe", "/jobs/*", "--all",
            "--retry", "60", "--state", self._state,
            "--exec", f"cat >'{self._pipe}'", "--exec-concurrency", self._concurrency,
        ]  # fmt: skip
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
        seen, missing = self._calls.wait_for(range(1, last + 1))
        self.require_running()
        if missing:
            said = self._errors.read_text(encoding="utf-8").splitlines()[-4:]
            state = self._state.read_text(encoding="utf-8") if self._state.exists() else "no position"
            raise Failure(
                f"{self._name}: no command has run for {missing[:5]}; it is at {state.strip()} and has said {said}"
            )
        unknown = sorted(set(seen) - set(range(1, last + 1)))
        require(not unknown, f"{self._name}: commands have run for {unknown[:5]}, which nobody has published")
        self.repeated = len(seen) - last
        allowed = self.kills * self._concurrency
        require(self.repeated <= allowed, f"{self._name}: {self.repeated} commands too many, for {self.kills} kills")
        if self._concurrency == 1:
            highest = 0
            for number in seen:
                require(number <= highest + 1, f"{self._name}: the command for {number} follows that for {highest}")
                highest = max(highest, number)

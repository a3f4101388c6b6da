"""Clients come and go for an hour: nothing is lost, nothing is reported by a sanitizer, and everything is given back.

    soak.py [--minutes 60] [--seed N] [--kind release] [--rate 1.5]

The broker is the one in FANFARE_BIN; `--kind` says how it was built: address, thread or release (see run.sh).
"""

import argparse
import contextlib
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from broker import PROGRAMS
from certificates import self_signed
from conftest import Victim
from guests import GRACE
from publishers import ALL as PUBLISHERS
from samples import HTTP, METRICS, Samples, cpu_seconds, descriptors, resident, wait_until
from stage import HISTORY, Player, Stage
from subscribers import company
from tokens import SECRET
from visitors import KINDS, prologue

CONFIGURATION = """\
threads: 2
compression-bytes: 200
metrics: all
log-level: {level}
auth: {{ keys: ['{folder}/secret'], grace: {grace}, publish: everyone, subscribe: everyone }}
tls: {{ listen: '127.0.0.1:0', certificate: '{folder}/certificate.pem', key: '{folder}/certificate.key' }}
limits:
  ended-sessions: 100
  queued-messages: 500
  congested-bytes: 64KiB
  outbound-bytes: 512KiB
timeouts: {{ connect: 8, handshake: 6, request: 15, close: 2, message: 5, write: 5, ping: 6, pong: 8, stream-ping: 3 }}
channels:
  /kept/**: {{ history: {history} }}
  /state/**: {{ retain: true }}
  /lodging/**: {{ history: 5, history-age: 60 }}
  /slow/queue/**: {{ slow: queue }}
  /slow/latest/**: {{ slow: latest }}
  /slow/disconnect/**: {{ slow: disconnect }}
  /moody/{level}: {{ history: 10 }}
"""
LEAVING = 60
"""Seconds for whoever is there to leave, and for the broker to forget those who left without a word."""
SANITIZERS = {
    # What is freed goes into quarantine before it is used again: a small one, so that memory can be watched at all.
    "address": ("ASAN_OPTIONS", "quarantine_size_mb=8:thread_local_quarantine_size_kb=64:detect_leaks=1:exitcode=86"),
    # That bytes went through some socket orders nothing, or nearly everything would be in order.
    "thread": ("TSAN_OPTIONS", "io_sync=0:history_size=4:second_deadlock_stack=1:exitcode=66"),
    "release": None,
}
MEMORY = {"address": 24, "thread": 48, "release": 12}
"""MiB that the last quarter may take more than the first."""


class SoakedBroker(Victim):
    """A broker with TLS, whose configuration is read again now and then."""

    def __init__(self, folder, kind):
        self.folder = folder
        self_signed(folder)
        (folder / "secret").write_text(SECRET + "\n")
        self.reports = folder / "report"
        if SANITIZERS[kind]:
            variable, options = SANITIZERS[kind]
            os.environ[variable] = f"{options}:log_path={self.reports}"
            if kind == "thread":
                os.environ["LD_PRELOAD"] = str(PROGRAMS / "tsan.so")  # tsan.c says why
            # Swift's own report of a crash reads memory that sanitizers guard.
            os.environ["SWIFT_BACKTRACE"] = "enable=no"
        super().__init__(folder, self.configuration("info"))

    def configuration(self, level):
        return CONFIGURATION.format(folder=self.folder, level=level, history=HISTORY, grace=GRACE)

    def start(self):
        super().start()
        self.tls_port = self.told_port("https")
        return self

    def reload(self, level):
        """As the operator does it; returns when it is applied."""
        reloaded = "fanfare_config_last_reload_success_timestamp_seconds"
        before = self.samples()[reloaded]
        (self.folder / "fanfare.yaml").write_text(self.configuration(level))
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.samples()[reloaded] > before, 30, lambda: "the configuration was not read again")

    def findings(self):
        """The reports of the sanitizer so far."""
        return sorted(self.folder.glob("report*"))


class Operator(Player):
    """Reads the configuration again now and then, and TLS's certificate with it."""

    def play(self):
        for number in range(1, 1_000_000):
            if self.stage.quiet.wait(self.chance.uniform(20, 60)):
                return
            self.stage.broker.reload("notice" if number % 2 else "info")
            self.stage.count("reloads")


class Arrivals(Player):
    """Visitors, so many a second; no more than a bound at once."""

    MOST = 80

    def __init__(self, stage, rate):
        super().__init__(stage, "arrivals")
        self.rate = rate
        self.guests = []

    def play(self):
        kinds, weights = list(KINDS), list(KINDS.values())
        number = 0
        while not self.stage.quiet.wait(self.chance.expovariate(self.rate)):
            number += 1
            kind = self.chance.choices(kinds, weights)[0]
            self.guests = [guest for guest in self.guests if guest.is_alive()]
            if len(self.guests) < self.MOST:
                self.guests.append(kind(self.stage, number))
                self.guests[-1].start()
            else:
                self.stage.count("turned away")


class Soak:
    """The play, from the first client to the end of the broker."""

    def __init__(self, broker, options):
        self.broker = broker
        self.stage = Stage(broker, options.seed)
        self.options = options
        # SQLite's log (WAL) keeps the length that it had once, up to its limit.
        allowances = {"descriptors": 20, "sessions": 20, "channels": 40, "database (MiB)": 8, "wal (MiB)": 64}
        self.samples = Samples({"memory (MiB)": MEMORY[options.kind], **allowances})

    def play(self):
        # One of each kind, so that whatever the broker opens at the first need is open.
        early = prologue(self.stage)
        self.start(early)
        self.join(early)
        self.wait_for_nobody()
        before = self.steady_descriptors()
        self.say(f"one of each has been there: {before.total()} descriptors, {resident(self.broker.pid):.0f} MiB")
        self.go_on()
        self.wait_for_nobody()
        self.check_descriptors(before)
        if grown := self.samples.growth():
            raise AssertionError("; ".join(grown))
        first, now = self.samples.quarters()["memory (MiB)"][0], resident(self.broker.pid)
        assert now <= first + MEMORY[self.options.kind], f"{now:.0f} MiB with nobody there, {first:.0f} at first"
        self.say(f"nobody is there: {before.total()} descriptors, {now:.0f} MiB")

    def go_on(self):
        """Everybody is there, for as long as it was said."""
        subscribers = company(self.stage)
        self.start(subscribers)
        for subscriber in subscribers:
            subscriber.ready.wait(60)
        publishers = [kind(self.stage, number, 3 / self.options.rate) for number, kind in enumerate(PUBLISHERS)]
        arrivals, operator = Arrivals(self.stage, self.options.rate), Operator(self.stage, "operator")
        self.start([*publishers, arrivals, operator])
        seconds = self.options.minutes * 60
        self.sleep(max(min(seconds / 5, 360), 30))
        cpu, began = (cpu_seconds(self.broker.pid), time.process_time()), time.monotonic()
        self.say(f"warm: {resident(self.broker.pid):.0f} MiB, {self.broker_takes()}")
        while time.monotonic() - began < seconds and not self.stage.failed.is_set():
            self.samples.take(self.broker)
            self.sleep(min(seconds / 100, 10))
        passed = time.monotonic() - began
        broker, driver = cpu_seconds(self.broker.pid) - cpu[0], time.process_time() - cpu[1]
        shares = f"of a core the broker took {broker / passed:.0%}, its clients {driver / passed:.0%}"
        self.say(f"{passed / 60:.1f} minutes; {shares}")
        self.stage.quiet.set()
        self.join([*publishers, arrivals, operator])
        # Now it is known what everybody is due.
        self.stage.over.set()
        self.join([*subscribers, *arrivals.guests])
        self.say(f"medians of the quarters: {self.samples.report()}")

    def broker_takes(self):
        now = self.broker.samples()
        return ", ".join(f"{now[name]:.0f} {name}" for name in METRICS[:4])

    def start(self, players):
        for player in players:
            player.start()

    def sleep(self, seconds):
        self.stage.failed.wait(seconds)
        assert self.broker.is_alive, "the broker is gone"

    def join(self, players):
        deadline = time.monotonic() + LEAVING
        for player in players:
            player.join(max(deadline - time.monotonic(), 0))
        assert not (late := [player.name for player in players if player.is_alive()]), f"they do not end: {late}"

    def wait_for_nobody(self):
        """Nothing is left of those who were there."""
        now = {}

        def is_empty():
            now.update(self.broker.samples())
            return not any(now[name] for name in METRICS) and now[HTTP] <= 1

        wait_until(is_empty, LEAVING, lambda: f"left: { {name: now[name] for name in [*METRICS, HTTP] if now[name]} }")

    def steady_descriptors(self):
        """What is open when nothing comes and goes: not even whoever asks for metrics."""
        earlier, now = None, descriptors(self.broker.pid)
        deadline = time.monotonic() + LEAVING
        while now != earlier:
            assert time.monotonic() < deadline, "descriptors come and go, though nobody is there"
            # Longer than it takes to answer whoever asks for metrics.
            time.sleep(2)
            earlier, now = now, descriptors(self.broker.pid)
        return now

    def check_descriptors(self, before):
        now = before

        def are_closed():
            nonlocal now
            now = descriptors(self.broker.pid)
            return now == before

        wait_until(are_closed, LEAVING, lambda: f"descriptors: {now - before} more, {before - now} less than before")

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {self.options.kind}: {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--kind", choices=SANITIZERS, default="release")
    parser.add_argument("--rate", type=float, default=1.5, help="visitors a second, and publications in proportion")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"fanfare-soak-{options.kind}-"))
    broker = SoakedBroker(folder, options.kind)
    soak = Soak(broker, options)
    soak.say(f"seed {options.seed}, {options.minutes:g} minutes, in {folder}")
    failures = []
    try:
        broker.start()
        soak.play()
        broker.stop()
    except AssertionError as error:
        failures.append(str(error))
        # What it has to say at its end is wanted in any case.
        with contextlib.suppress(AssertionError):
            broker.stop()
    finally:
        broker.kill()
    failures += soak.stage.failures
    failures += [f"a report: {path}" for path in broker.findings()]
    soak.say(", ".join(f"{number} {what}" for what, number in sorted(soak.stage.counts.items())))
    if failures:
        print(f"{options.kind} has failed, seed {options.seed}:", *failures, sep="\n", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(folder)
    soak.say("clean")


if __name__ == "__main__":
    main()

"""What the broker's process takes, again and again; whether it grew all the time."""

import collections
import os
import pathlib
import statistics
import time

METRICS = [
    "fanfare_channels", 'fanfare_subscriptions{kind="channel"}', 'fanfare_subscriptions{kind="pattern"}',
    'fanfare_sessions{state="connected"}', 'fanfare_sessions{state="away"}',
    'fanfare_connections{transport="websocket"}', 'fanfare_connections{transport="eventsource"}',
    "fanfare_send_queue_bytes", "fanfare_slow_consumers", "fanfare_session_queue_bytes", "fanfare_store_queue_messages",
]  # fmt: skip
"""All of them are zero when nobody is there."""
HTTP = 'fanfare_connections{transport="http"}'
"""One is that of whoever asks for this."""


def descriptors(pid):
    """How many descriptors of each kind a process has open."""
    kinds = collections.Counter()
    folder = pathlib.Path(f"/proc/{pid}/fd")
    for name in os.listdir(folder):
        try:
            target = os.readlink(folder / name)
        except FileNotFoundError:
            continue
        kinds[target.split(":")[0] if not target.startswith("/") else target] += 1
    return kinds


def cpu_seconds(pid):
    """The time of processors that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """The memory of a process (MiB), without what lies in files: more and more of the program itself is read."""
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


class Samples:
    """Series of numbers over the time of the play; by its allowance the last quarter of each may exceed the first."""

    def __init__(self, allowances):
        self._allowances = allowances
        self._series = collections.defaultdict(list)

    def take(self, broker):
        now = broker.samples()
        self._add("memory (MiB)", resident(broker.pid))
        self._add("descriptors", descriptors(broker.pid).total())
        self._add("sessions", now[METRICS[2]] + now[METRICS[3]])
        self._add("channels", now["fanfare_channels"])
        for file in ("database", "wal"):
            self._add(f"{file} (MiB)", now[f'fanfare_store_bytes{{file="{file}"}}'] / 2**20)
        return now

    def _add(self, name, value):
        self._series[name].append(value)

    def quarters(self):
        """The median of each quarter of each series, by name."""
        return {
            name: [statistics.median(values[len(values) * n // 4 : len(values) * (n + 1) // 4]) for n in range(4)]
            for name, values in self._series.items()
        }

    def growth(self):
        """What grew: from each quarter to the next, and by more than its allowance."""
        return [
            f"{name} grew all the time: {', '.join(f'{value:.1f}' for value in medians)}"
            for name, medians in self.quarters().items()
            if medians == sorted(medians) and medians[3] - medians[0] > self._allowances[name]
        ]

    def report(self):
        return "; ".join(
            f"{name} {' '.join(f'{value:.1f}' for value in medians)}" for name, medians in self.quarters().items()
        )


def wait_until(condition, seconds, what):
    """Look again until it holds; `what()` tells what is wrong if it does not.

    For what nobody tells of: what a process has open, what its metrics say. In between the broker has its peace.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.5)

"""What the broker has to hold: compared with what it shows over HTTP, and with its files while it is dead."""

import json
import pathlib
import shutil
import sqlite3
import tempfile
import urllib.error
import urllib.request

from broker import PATIENCE

from session import require

PAGE = 500


class Ledger:
    """Every publication that was sent, and where it is in the log as far as that was seen."""

    def __init__(self, channels, states):
        # By sequence number: channel, publisher, number.
        self.stored = {}
        self.acknowledged_count = 0
        self._channels = channels
        self._states = {name: [] for name in states}
        self._open = {}
        self._through = dict.fromkeys(channels, 0)
        self._last_numbers = {}
        self._epoch = None

    def sent(self, publication):
        """A publication goes out for the first time."""
        if publication.channel in self._states:
            self._states[publication.channel].append(publication)
        else:
            self._open[publication.item] = publication

    def check_epoch(self, epoch, message):
        """The log never starts anew."""
        self._epoch = self._epoch or epoch
        require(epoch == self._epoch, f"the epoch was {self._epoch}, but now there is {message}")

    def check(self, broker):
        """Compare with what is new in the histories, and with the retained messages.

        Returns the new publications by sequence number. Those that were not acknowledged may be there or not.
        """
        promised = [publication for publication in self._open.values() if publication.is_acknowledged]
        items = {}
        for channel in self._channels:
            for sequence, item in self._history(broker, channel, self._through[channel]):
                require(sequence not in items, f"{sequence} is {items.get(sequence)} as well as {item}")
                items[sequence] = item
                self._through[channel] = sequence
        new = {sequence: self._place(sequence, items[sequence]) for sequence in sorted(items)}
        lost = [publication for publication in promised if publication.item in self._open]
        require(not lost, f"{len(lost)} acknowledged publications are not in the history: {lost[:5]}")
        for channel, updates in self._states.items():
            self._check_state(broker, channel, updates)
        return new

    def check_all(self, broker):
        """Read the histories from their beginnings: they are what was seen of them piece by piece."""
        found = dict(pair for channel in self._channels for pair in self._history(broker, channel, 0))
        different = sorted(found.items() ^ self.stored.items())
        require(not different, f"the histories are not what they were; only before or only now: {different[:5]}")

    def _place(self, sequence, item):
        """A publication is in the log: it was sent, it was not there before, and it follows its publisher's others."""
        publication = self._open.pop(item, None)
        require(publication, f"{sequence} holds {item}, which is stored already, or was never sent")
        last = self._last_numbers.get(item[1], 0)
        require(item[2] > last, f"{sequence} holds {item} behind its publisher's {last}")
        receipt = publication.receipt or sequence
        require(receipt == sequence, f"{publication} is stored under {sequence}")
        self._last_numbers[item[1]] = item[2]
        self.stored[sequence] = item
        self.acknowledged_count += 1
        return publication

    def _history(self, broker, channel, since):
        """The history of a channel behind a sequence number, page by page: sequence numbers and what is there."""
        while page := read(broker, f"{channel}?since={since}&limit={PAGE}"):
            for message in page:
                sequence = message["ext"]["seq"]
                self.check_epoch(message["ext"]["epoch"], message)
                require(sequence > since, f"the history of {channel} goes from {since} to {sequence}")
                require(message["channel"] == channel, f"the history of {channel} holds {message}")
                since = sequence
                yield sequence, (channel, message["data"]["p"], message["data"]["n"])

    def _check_state(self, broker, channel, updates):
        """The retained message is the last acknowledged one, or one that was sent later."""
        least = max((update.number for update in updates if update.is_acknowledged), default=0)
        most = max((update.number for update in updates), default=0)
        retained = read(broker, channel)
        found = retained["n"] if retained else 0
        require(least <= found <= most, f"{channel} was {least} to {most}, but what is retained is {retained}")
        updates[:] = [update for update in updates if update.number >= least]


def read(broker, path):
    """What the broker answers to a request for a channel; None if there is nothing."""
    try:
        with urllib.request.urlopen(broker.url("/channels" + path), timeout=PATIENCE) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        require(error.code == 404, f"GET {path} was answered with {error.code}: {error.read()}")
        return None


def check_files(database):
    """SQLite finds nothing wrong with the files of a broker that is dead. A copy is checked, for looking recovers."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ["", "-wal", "-shm"]:
            file = pathlib.Path(f"{database}{suffix}")
            if file.exists():
                shutil.copy(file, folder)
        connection = sqlite3.connect(pathlib.Path(folder) / database.name)
        try:
            result = connection.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.DatabaseError as error:
            result = error
        finally:
            connection.close()
    require(result == [("ok",)], f"{database} is damaged: {result}")

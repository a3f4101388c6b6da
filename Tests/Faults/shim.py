"""The library between the broker and the system (shim/*.c), as a test steers it while the broker runs."""

import mmap
import os

KINDS = ["open", "read", "write", "sync", "truncate", "unlink", "rename"]
FIELDS = ["error", "countdown", "lasts", "is_torn", "only", "calls", "failures", "unused"]
# No error of the system: the broker is killed, with what it has written or synced by that call.
DEATH = -1
FILES = {"any": 0, "log": 1, "database": 2}


class Shim:
    """Steers the calls on the files of one database; `environment` is what the broker has to be started with."""

    def __init__(self, folder, database, journal=False):
        folder.mkdir()
        size = (len(KINDS) * len(FIELDS) + 1) * 8
        (folder / "control").write_bytes(bytes(size))
        with open(folder / "control", "r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), size)).cast("q")
        self.journal = folder / "journal"
        self.environment = {
            "LD_PRELOAD": os.environ["SHIM_LIBRARY"],
            "SHIM_PREFIX": str(database),
            "SHIM_CONTROL": str(folder / "control"),
        }
        if journal:
            self.environment["SHIM_JOURNAL"] = str(self.journal)

    def fail(self, kind, error, nth=1, lasts=False, torn=False, only="any"):
        """Let the n-th call from now on fail, and all after it if it `lasts`; a torn write is half done."""
        self.heal(kind)
        for field, value in [("countdown", nth), ("lasts", lasts), ("is_torn", torn), ("only", FILES[only])]:
            self._numbers[self._index(kind, field)] = int(value)
        self._numbers[self._index(kind, "failures")] = 0
        self._numbers[self._index(kind, "error")] = error

    def kill(self, kind, nth=1, torn=False):
        """Let the broker be killed by the n-th call from now on; a torn write is half done."""
        self.fail(kind, DEATH, nth, torn=torn)

    def heal(self, kind):
        self._numbers[self._index(kind, "error")] = 0

    def calls(self, kind):
        return self._numbers[self._index(kind, "calls")]

    def failures(self, kind):
        """How many calls failed since `fail`."""
        return self._numbers[self._index(kind, "failures")]

    def set_clock(self, seconds):
        """Let the wall clock be so many seconds ahead of the true time."""
        self._numbers[len(KINDS) * len(FIELDS)] = int(seconds * 1_000_000_000)

    def position(self):
        """How long the journal is: all that the broker has done by now is before it."""
        return self.journal.stat().st_size

    def _index(self, kind, field):
        return KINDS.index(kind) * len(FIELDS) + FIELDS.index(field)

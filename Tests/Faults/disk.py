"""What a disk may hold after the power was lost, by the journal of what was done to its files (shim/journal.c).

What a file was when it was last synced is there. Of what came after it, each block has any of the states that it went
through, independent of all other blocks. A file is there under a name only when the folder was synced after it got that
name; of later changes of the folder some may be there, in their order.
"""

import collections
import enum
import struct

HEAD = struct.Struct("=qqqq")
Kind = enum.Enum("Kind", "CREATE WRITE TRUNCATE SYNC FAILED_SYNC FOLDER_SYNC UNLINK RENAME")

Record = collections.namedtuple("Record", "kind inode offset data")


def read_journal(data):
    """The records that are in the journal whole."""
    position = 0
    while position + HEAD.size <= len(data):
        kind, inode, offset, length = HEAD.unpack_from(data, position)
        position += HEAD.size
        if position + length > len(data):
            return
        yield Record(kind, inode, offset, data[position : position + length])
        position += length


class File:
    def __init__(self):
        self._synced = bytearray()
        self._pending = []

    def change(self, offset, data):
        """Bytes at an offset; None for the end of the file there."""
        self._pending.append((offset, data))

    def sync(self):
        self._synced = self._apply(self._pending)
        self._pending = []

    def fail_to_sync(self, survival):
        """The system takes what it could not write for written: nobody writes it again."""
        self._synced = self.after_power_loss(survival)
        self._pending = []

    def after_power_loss(self, survival):
        return self._apply(survival.choose(self._pending))

    def _apply(self, changes):
        content = bytearray(self._synced)
        for offset, data in changes:
            if len(content) < offset:
                content.extend(bytes(offset - len(content)))
            if data is None:
                del content[offset:]
            else:
                content[offset : offset + len(data)] = data
        return content


class Survival:
    """What survives of changes that were not synced: nothing, or what a seeded generator says."""

    def __init__(self, rng=None, block=4096):
        self._rng = rng
        self._block = block
        self._chance = rng.random() if rng else 0

    def choose(self, changes):
        """The changes that survive, in pieces, in their order: of each block, those up to some moment."""
        if not self._rng:
            return []
        pieces = [piece for change in changes for piece in self._cut(*change)]
        counts = collections.Counter(block for block, _, _ in pieces)
        lives = {block: self._count(count) for block, count in counts.items()}
        surviving = []
        for block, offset, data in pieces:
            if lives[block] > 0:
                surviving.append((offset, data))
            lives[block] -= 1
        return surviving

    def choose_names(self, changes):
        return changes[: self._rng.randint(0, len(changes))] if self._rng else []

    def _count(self, count):
        return self._rng.randint(1, count) if self._rng.random() < self._chance else 0

    def _cut(self, offset, data):
        """Pieces that lie within a block each; that a file is cut off is one of its own."""
        if data is None:
            yield "end", offset, None
            return
        start = 0
        while start < len(data):
            block = (offset + start) // self._block
            end = min(len(data), (block + 1) * self._block - offset)
            yield block, offset + start, data[start:end]
            start = end


class Disk:
    """A folder that was empty and synced at the beginning, after the records of a journal."""

    def __init__(self, records, survival):
        self._survival = survival
        self._files = {}
        self._names = {}
        self._synced_names = {}
        self._pending_names = []
        for record in records:
            self._take(record)

    def contents(self):
        """The files after the power was lost, by name."""
        names = dict(self._synced_names)
        for name, file in self._survival.choose_names(self._pending_names):
            names[name] = file
        return {name: file.after_power_loss(self._survival) for name, file in names.items() if file}

    def _take(self, record):
        match Kind(record.kind):
            case Kind.CREATE:
                file = self._files[record.inode] = File()
                self._name(record.data.decode(), file)
            case Kind.WRITE:
                self._files[record.inode].change(record.offset, record.data)
            case Kind.TRUNCATE:
                self._files[record.inode].change(record.offset, None)
            case Kind.SYNC:
                self._files[record.inode].sync()
            case Kind.FAILED_SYNC:
                self._files[record.inode].fail_to_sync(self._survival)
            case Kind.FOLDER_SYNC:
                self._synced_names = dict(self._names)
                self._pending_names = []
            case Kind.UNLINK:
                self._name(record.data.decode(), None)
            case Kind.RENAME:
                old, new = record.data.decode().split("/")
                self._name(new, self._names[old])
                self._name(old, None)

    def _name(self, name, file):
        self._names[name] = file
        self._pending_names.append((name, file))

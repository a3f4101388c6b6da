"""A broker under load whose power is lost, and what must be there when it is started again."""

import shutil

from disk import Disk, read_journal
from faulty import Connection, FaultyBroker, sqlite
from load import Load
from shim import Shim


class Run:
    """A broker, started in a folder of its own, with a journal of what it does to its files.

    `check_restart` is for when it has ended: with `kill`, or by leaving the `with` block.
    """

    def __init__(self, folder):
        folder.mkdir()
        self.shim = Shim(folder / "shim", folder / "data" / "fanfare.db", journal=True)
        self.broker = FaultyBroker(folder, environment=self.shim.environment)
        self.load = Load(self.broker, self.shim.position, size=3000, retain=True)

    def __enter__(self):
        self.broker.start()
        return self

    def __exit__(self, *_):
        self.broker.kill()
        self.journal = self.shim.journal.read_bytes()

    def check_restart(self, folder, survival, cut=None):
        """Lose the power after so many bytes of the journal, or at its end; start on what the disk then holds."""
        cut = len(self.journal) if cut is None else cut
        folder.mkdir()
        broker = FaultyBroker(folder)
        for name, content in Disk(read_journal(self.journal[:cut]), survival).contents().items():
            (broker.data / name).write_bytes(content)
        if broker.database.exists():
            # On a copy: looking at it brings SQLite's log into the database.
            copy = shutil.copytree(broker.data, folder / "copy")
            assert sqlite(copy / "fanfare.db", "PRAGMA integrity_check") == [("ok",)]
        try:
            broker.start()
            self.load.broker = broker
            self._check(self.load.kept(), cut)
            with Connection(broker) as connection:
                answer = connection.publish("/full/new", {"number": -1})
                assert answer.status == 200
                # Clients that have seen more than there is now take no number twice.
                seen = [receipt.seq for receipt in self.load.receipts if receipt.position <= cut]
                assert answer.body["seq"] > max(seen, default=0)
            broker.stop()
        finally:
            broker.kill()

    def _check(self, kept, cut):
        """All that is synced is there, and of the rest all up to some number."""
        for receipt in self.load.receipts:
            assert kept.get(receipt.number, receipt[:1] + receipt[2:3]) == (receipt.channel, receipt.seq)
        told = [receipt for receipt in self.load.receipts if receipt.position <= cut]
        lost = sorted((receipt for receipt in told if receipt.number not in kept), key=lambda receipt: receipt.seq)
        synced = [receipt for receipt in lost if receipt.channel.startswith("/full/")]
        assert not synced, f"{len(synced)} synced publications lost, the first {synced[0]}; {len(kept)} are there"
        last = max((seq for _, seq in kept.values()), default=0)
        holes = [receipt for receipt in lost if receipt.seq < last]
        assert not holes, f"{holes[0]} is lost, but {last} is there"

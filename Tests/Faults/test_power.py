"""The power is lost: what was acknowledged with durability `full` is there, and no hole in what else is."""

import errno
import os
import random

import pytest

from disk import HEAD, Kind, Survival, read_journal
from faulty import Connection, publish_until, is_refused
from power import Run

SEEDS = int(os.environ.get("FAULT_SEEDS", "10"))
# The last third has durability `normal` alone, so nothing is synced when it is acknowledged.
COUNTS = {f"/full/{n}": 250 for n in range(4)} | {f"/normal/{n}": 100_000 for n in range(4)}
ANSWERS = 3000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with Run(tmp_path_factory.mktemp("power") / "run") as run:
        threads = run.load.start_threads(COUNTS)
        run.load.wait_for_answers(ANSWERS)
    for thread in threads:
        thread.join()
    return run


def survival(rng):
    return Survival(rng, block=rng.choice([512, 4096]))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_power_is_lost(tmp_path, run, seed):
    """Seed 0: at the end, and nothing survives that was not synced. Others: at any time, and some of it does."""
    rng = random.Random(seed)
    if seed == 0:
        run.check_restart(tmp_path / "after", Survival())
    else:
        run.check_restart(tmp_path / "after", survival(rng), cut=rng.randrange(len(run.journal)))


def test_power_is_lost_after_each_sync_of_the_beginning(tmp_path, run):
    """While the database is made, and the first publications arrive."""
    cuts = []
    position = 0
    for record in read_journal(run.journal):
        position += HEAD.size + len(record.data)
        if Kind(record.kind) in (Kind.SYNC, Kind.FOLDER_SYNC):
            cuts.append(position)
    for number, cut in enumerate(cuts[:12]):
        run.check_restart(tmp_path / str(number), Survival(), cut)


@pytest.mark.parametrize("nth", [1, 2, 3, 5])
def test_power_is_lost_after_a_failed_sync(tmp_path, nth):
    """What a failed sync was to write may never be written, whatever later syncs say."""
    with Run(tmp_path / "run") as run:
        run.load.run("/full/0", 50)
        run.shim.fail("sync", errno.EIO, nth)
        publish_until(run.broker, "/full/0", is_refused, run.load)
        with Connection(run.broker) as connection:
            for _ in range(20):
                run.load.publish(connection, "/full/0")
    run.check_restart(tmp_path / "nothing", Survival())
    for seed in range(3):
        run.check_restart(tmp_path / str(seed), survival(random.Random(seed)))

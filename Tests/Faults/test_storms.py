"""All kinds of faults, one after the other, under load; then the power is lost."""

import errno
import os
import random

import pytest

from disk import Survival
from power import Run

SEEDS = int(os.environ.get("FAULT_SEEDS", "10"))
COUNTS = {f"/{durability}/{n}": 100_000 for durability in ["full", "normal"] for n in range(3)}
DAY = 86_400


def next_fault(rng, shim):
    """Something that goes wrong, or is right again. No sync fails: a broker may take nothing any more after that."""
    for kind in ["read", "write", "open", "truncate"]:
        shim.heal(kind)
    kind = rng.choice(["write", "write", "write", "read", "read", "open", "truncate", "clock", "none"])
    if kind == "clock":
        shim.set_clock(rng.choice([0, DAY, -DAY, 1, -1]))
    elif kind != "none":
        error = rng.choice([errno.EIO, errno.ENOSPC]) if kind == "write" else errno.EIO
        shim.fail(kind, error, rng.randint(1, 30), lasts=rng.random() < 0.3, torn=rng.random() < 0.3)


@pytest.mark.parametrize("has_reader", [False, True], ids=["writing", "reading"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_storm(tmp_path, seed, has_reader):
    rng = random.Random(seed)
    with Run(tmp_path / "run") as run:
        threads = run.load.start_threads(COUNTS)
        if has_reader:
            threads.append(run.load.start_reader(list(COUNTS), random.Random(seed)))
        for _ in range(40):
            next_fault(rng, run.shim)
            run.load.wait_for_answers(30)
        assert run.broker.is_alive
    for thread in threads:
        thread.join()
    assert run.load.receipts and not run.load.complaints
    run.check_restart(tmp_path / "after", Survival())
    run.check_restart(tmp_path / "other", Survival(rng))

"""Stop the broker as an operator does, again and again under load; nobody misses anything, and everybody is told to come
back."""

import argparse
import asyncio
import pathlib
import random
import shutil
import signal
import sys
import tempfile

from checker import check_files
from crash import CONFIGURATION, MortalBroker, Play, first_failure
from session import Failure, require

# RFC 6455's registry: the server restarts.
SERVICE_RESTART = 1012


class Drain(Play):
    """The rounds of the crash test with SIGTERM in the place of every fault."""

    async def _play(self):
        newcomer = self._newcomer()
        self.stage.load.set()
        await asyncio.sleep(self._random.uniform(0.1, 0.5))
        self._admit(newcomer)
        self.subscribers.append(newcomer)
        await newcomer.until(newcomer.bound.is_set, lambda: "it cannot come in")
        await self._stop()
        await self._start()
        await self._settle()
        for client in self._leaving:
            self._tasks.pop(client).cancel()
            self.subscribers.remove(client)
            self._count(client)
        self._leaving = [newcomer]

    async def _stop(self):
        self.stage.close()
        self.stage.close_codes.clear()
        try:
            await asyncio.to_thread(self.broker.stop)
        except AssertionError as error:
            raise Failure(f"the broker did not end well: {error}") from error
        self.stage.load.clear()
        for client in self._tasks:
            await client.until(lambda client=client: not client.bound.is_set(), lambda: "it hears a dead broker")
        codes = self.stage.close_codes
        require(len(codes) >= len(self.subscribers), f"only {len(codes)} WebSockets were closed")
        require(set(codes) == {SERVICE_RESTART}, f"WebSockets were closed with {sorted(set(codes), key=str)}")
        await asyncio.to_thread(check_files, self.broker.database)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("seed", nargs="?", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fanfare-drain-"))
    configuration = folder / "fanfare.yaml"
    configuration.write_text(CONFIGURATION)
    broker = MortalBroker(folder / "fanfare.db", folder / "broker.log", "--config", configuration)
    play = Drain(broker, options.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        asyncio.run(play.run(options.rounds))
    except BaseExceptionGroup as group:
        print(f"seed {options.seed}, round {play.round}: {first_failure(group)}", file=sys.stderr)
        print(f"the database and the broker's log are in {folder}", file=sys.stderr)
        if not first_failure(group):
            raise
        sys.exit(1)
    finally:
        broker.kill()
    shutil.rmtree(folder)
    print(play.summary())


if __name__ == "__main__":
    main()

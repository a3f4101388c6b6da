"""Stop the broker as an operator does, again and again under load; nobody misses anything, all are told to return."""

import asyncio

from crash import Play, main
from session import Failure, require

# RFC 6455's registry: the server restarts.
SERVICE_RESTART = 1012


class Drain(Play):
    """The rounds of the crash test with SIGTERM in the place of every fault."""

    async def _play(self):
        newcomer = self._newcomer()
        self.stage.load.set()
        # It is stopped at any moment.
        await asyncio.sleep(self._random.uniform(0.1, 0.5))
        self._join(newcomer)
        await newcomer.until(newcomer.bound.is_set, lambda: "it cannot come in")
        await self._stop()
        await self._start()
        await self._settle()
        self._dismiss(newcomer)

    async def _stop(self):
        self.stage.close()
        self.stage.close_codes.clear()
        try:
            await asyncio.to_thread(self.broker.stop)
        except AssertionError as error:
            raise Failure(f"the broker did not end well: {error}") from error
        await self._after_death()
        codes = self.stage.close_codes
        require(len(codes) >= len(self.subscribers), f"only {len(codes)} WebSockets were closed")
        require(set(codes) == {SERVICE_RESTART}, f"WebSockets were closed with {sorted(set(codes), key=str)}")


if __name__ == "__main__":
    main(Drain, __doc__, rounds=5)

"""What all who take part know: the broker, what is published, how far the play is, and what went wrong."""

import collections
import random
import threading
import time
import traceback

from topics import Topic, marks

HISTORY = 200
WAYS_TO_PUBLISH = ["websocket", "http", "polling"]


class Stage:
    """The place of the play; `over` is set when no more is published and everybody should leave."""

    MOST_FAILURES = 20

    def __init__(self, broker, seed):
        self.broker = broker
        self.seed = seed
        self.topics = {
            "plain": [Topic(f"/plain/{way}") for way in WAYS_TO_PUBLISH],
            "kept": [Topic(f"/kept/{way}", history=HISTORY) for way in WAYS_TO_PUBLISH],
            "state": [Topic(f"/state/{way}", is_retained=True) for way in WAYS_TO_PUBLISH],
        }
        # Publishers stop first; then nobody new comes in, and those who are there leave.
        self.quiet = threading.Event()
        self.over = threading.Event()
        self.failed = threading.Event()
        self.failures = []
        self.counts = collections.Counter()
        self._lock = threading.Lock()

    def chance(self, name):
        """Decides what somebody of this name does: the same with the same seed."""
        return random.Random(f"{self.seed} {name}")

    def count(self, what, number=1):
        with self._lock:
            self.counts[what] += number

    def fail(self, name):
        """The exception that is being handled is a failure. The play goes on, for sanitizers may find more."""
        with self._lock:
            self.failures.append(f"{time.strftime('%H:%M:%S')} {name}:\n{traceback.format_exc()}")
            if len(self.failures) < self.MOST_FAILURES:
                return
        self.failed.set()
        self.quiet.set()
        self.over.set()

    def marks(self, *groups):
        return marks(topic for group in groups for topic in self.topics[group])


class Player(threading.Thread):
    """Somebody who takes part, in a thread; what it raises is a failure."""

    def __init__(self, stage, name):
        super().__init__(name=name, daemon=True)
        self.stage = stage
        self.chance = stage.chance(name)

    def run(self):
        try:
            self.play()
        except Exception:
            # Behind the end of the broker others follow, which say nothing.
            if not self.stage.failed.is_set():
                self.stage.fail(self.name)

    def play(self):
        raise NotImplementedError

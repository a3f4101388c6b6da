"""Publications that a test has made, and what must have become of them."""

import collections
import http.client
import threading

from broker import PATIENCE
from faulty import Connection, check_refused, history

Receipt = collections.namedtuple("Receipt", "channel number seq position")


class Load:
    """Publishes numbered messages; keeps which of them were acknowledged, and where a disk's journal was then."""

    def __init__(self, broker, position=lambda: 0, size=1000, retain=False):
        self.broker = broker
        self.retain = retain
        self.receipts = []
        self.sent = set()
        self.complaints = []
        self._position = position
        self._padding = "x" * size
        self._answered = threading.Condition()
        self._answer_count = 0
        self._is_broken = False

    def new_number(self):
        """The number of a publication that is yet to be sent."""
        with self._answered:
            number = len(self.sent)
            self.sent.add(number)
        return number

    def publish(self, connection, channel, number=None, **headers):
        """Publish a new message, or the one with that number."""
        if number is None:
            number = self.new_number()
        if self.retain:
            headers["Retain"] = "true"
        answer = connection.publish(channel, {"number": number, "padding": self._padding}, **headers)
        if answer.status == 200:
            receipt = Receipt(channel, number, answer.body["seq"], self._position())
        else:
            receipt = None
            check_refused(answer)
        with self._answered:
            if receipt:
                self.receipts.append(receipt)
            self._answer_count += 1
            self._answered.notify_all()
        return answer

    def wait_for_answers(self, count):
        """Until so many more were answered, whatever the answers are; it may take long as long as it goes on."""
        with self._answered:
            wanted = self._answer_count + count
            while not self._is_broken and self._answer_count < wanted:
                assert self._answered.wait(PATIENCE), "the broker is silent"
            assert not self._is_broken, f"the broker closed a connection; its log is {self.broker.log}"

    def run(self, channel, count):
        """Publish so many, one after the other; all must be taken."""
        with Connection(self.broker) as connection:
            for _ in range(count):
                answer = self.publish(connection, channel)
                assert answer.status == 200, answer

    def start_threads(self, counts):
        """A thread for each channel, which publishes so many, or as many as it can until the broker is gone."""

        def run(channel, count):
            try:
                with Connection(self.broker) as connection:
                    for _ in range(count):
                        self.publish(connection, channel)
            except (OSError, http.client.HTTPException):
                with self._answered:
                    self._is_broken = True
                    self._answered.notify_all()

        threads = [threading.Thread(target=run, args=item) for item in counts.items()]
        for thread in threads:
            thread.start()
        return threads

    def start_reader(self, channels, rng):
        """A thread that reads parts of histories until the broker is gone; what is wrong goes to `complaints`."""

        def read():
            try:
                with Connection(self.broker) as connection:
                    while not self.complaints:
                        since = rng.randint(0, len(self.sent))
                        answer = connection.get(f"/channels{rng.choice(channels)}?since={since}&limit=50")
                        if answer.status != 200:
                            check_refused(answer)
                            continue
                        sequences = [since] + [message["ext"]["seq"] for message in answer.body]
                        assert sequences == sorted(set(sequences)), sequences
            except (OSError, http.client.HTTPException):
                pass
            except AssertionError as complaint:
                self.complaints.append(complaint)

        thread = threading.Thread(target=read)
        thread.start()
        return thread

    def kept(self):
        """What the broker's histories hold of it, as {number: (channel, seq)}; nothing twice, nothing made up."""
        kept = {}
        sequences = set()
        for channel in sorted({receipt.channel for receipt in self.receipts}):
            messages = history(self.broker, channel)
            if self.retain:
                self._check_retained(channel, messages)
            for seq, data in messages.items():
                assert data["number"] not in kept, f"{data['number']} is there twice: {kept[data['number']]}, {seq}"
                assert data["number"] in self.sent
                assert data["padding"] == self._padding
                assert seq not in sequences, f"number {seq} was given twice"
                sequences.add(seq)
                kept[data["number"]] = (channel, seq)
        return kept

    def _check_retained(self, channel, messages):
        """What is retained is the last of the history."""
        with Connection(self.broker) as connection:
            answer = connection.get(f"/channels{channel}")
        if messages:
            assert answer == (200, messages[max(messages)])
        else:
            assert answer.status == 404, answer

    def check_kept(self):
        """Every acknowledged publication is there, once, with the number that its publisher was told."""
        kept = self.kept()
        lost = [receipt for receipt in self.receipts if kept.get(receipt.number) != (receipt.channel, receipt.seq)]
        assert not lost, f"{len(lost)} of {len(self.receipts)} lost, the first {lost[0]}"
        return kept

"""Those who publish what the well-behaved are due, each to channels of its own."""

import json

from kept_connection import KeptConnection
from lines import CompressedWebSocket, Polling
from stage import Player
from tokens import token

FILLS = [0, 0, 20, 400, 3000]


class Publisher(Player):
    """Publishes to its topics, now one and now some in a row, until the play is over."""

    def __init__(self, stage, number, pause):
        way = type(self).__name__
        super().__init__(stage, f"publisher {way}")
        self.topics = [group[number] for group in stage.topics.values()]
        self.pause = pause

    def play(self):
        with self.open() as line:
            # Its connection must not be idle for as long as the broker keeps such.
            while not self.stage.quiet.wait(min(self.chance.expovariate(1 / self.pause), 5)):
                topic = self.chance.choice(self.topics)
                batch = [topic.next("x" * self.chance.choice(FILLS)) for _ in range(self.chance.choice([1, 1, 1, 4]))]
                self.publish(line, topic, batch)
                topic.acknowledge()
                self.stage.count("publications", len(batch))

    def publish(self, line, topic, batch):
        replies = line.ask(*({"channel": topic.name, "data": data, "id": str(data["n"])} for data in batch))
        assert all(reply["successful"] for reply in replies) and len(replies) == len(batch), replies


class OverWebSocket(Publisher):
    def open(self):
        return CompressedWebSocket(self.stage.broker)


class ByPolling(Publisher):
    def open(self):
        return Polling(self.stage.broker)


class OverHTTP(Publisher):
    """Plain requests; now and then one is sent twice with its key, and counts once."""

    def open(self):
        return PlainHTTP(self.stage.broker)

    def publish(self, line, topic, batch):
        for data in batch:
            key = {"Idempotency-Key": f"{topic.name} {data['n']}"} if topic.history else {}
            receipt = line.post(topic.name, data, key)
            if key and self.chance.random() < 0.1:
                again = line.post(topic.name, data, key)
                assert again["seq"] == receipt["seq"], (receipt, again)


class PlainHTTP(KeptConnection):
    """A connection for requests."""

    def post(self, channel, data, headers=(), query=""):
        """Publish; the receipt."""
        headers = {"Content-Type": "application/json", **dict(headers)}
        status, text = self.exchange("POST", f"/channels{channel}{query}", json.dumps(data), headers)
        assert status == 200, (channel, status, text)
        return json.loads(text)


def administrator():
    """The header of one who may do everything."""
    return {"Authorization": "Bearer " + token("operator", seconds=600, admin=True)}


ALL = [OverWebSocket, OverHTTP, ByPolling]

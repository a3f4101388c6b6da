"""What is published, numbered, and what a subscriber is due of it: each publication once, and in order."""


class Topic:
    """A channel with one publisher, whose publications are numbered from 1."""

    def __init__(self, name, history=0, is_retained=False):
        self.name = name
        self.history = history
        self.is_retained = is_retained
        self.sent = 0
        self.acknowledged = 0

    def next(self, fill=""):
        """The data of the next publication."""
        self.sent += 1
        return {"n": self.sent, "fill": fill}

    def acknowledge(self):
        """What was sent is acknowledged."""
        self.acknowledged = self.sent


class Due:
    """What one subscriber is due of a topic: the first number lies between two, each later one follows.

    What is kept is read behind the acknowledgement, and may have made room for later ones by then: `oldest` says where it
    begins.
    """

    def __init__(self, least, most, sure, oldest=lambda: 0):
        self.least, self._most, self._oldest = least, most, oldest
        # From this one on they have to come; what was published while it subscribed may have come too early.
        self.sure = max(sure, 1)
        self.last = None
        # The last number over this connection, which may be one that came before over another one.
        self.position = None

    @property
    def most(self):
        """How large the first number may be."""
        return max(self._most, self._oldest())

    def accepts(self, number):
        """Whether this one may come now; if so it is taken."""
        if self.position is not None:
            is_due = number == self.position + 1
        elif self.last is not None:
            is_due = number <= self.last + 1
        else:
            is_due = self.least <= number <= self.most
        if is_due:
            self.position = number
            self.last = max(number, self.last or 0)
        return is_due

    def lacks(self, number):
        """Whether this one, or a later one, has yet to come."""
        return number >= self.sure if self.last is None else self.last < number


class Reader:
    """Checks what one subscriber gets, as it comes."""

    def __init__(self, name):
        self.name = name
        self.count = 0
        self.repeat_count = 0
        self.last_sequence = {}
        self._due = {}
        self._forgotten = set()

    def subscribe(self, topics, subscribe, replay=None):
        """Call `subscribe`, which returns with the acknowledgement: from then on these topics are due.

        With `replay` all that is kept is due, too.
        """
        acknowledged = {topic.name: topic.acknowledged for topic in topics}
        # What comes before the acknowledgement is looked at behind it.
        subscribe()
        for topic in topics:
            least, most = acknowledged[topic.name] + 1, topic.sent + 1
            sure = most
            if topic.is_retained:
                least = sure = least - 1
            if replay and topic.history:
                self.expect(topic, 1, 1, 1, lambda topic=topic: topic.sent - topic.history + 1)
            else:
                self.expect(topic, least, most, sure)

    def expect(self, topic, least, most, sure, oldest=lambda: 0):
        """The first publication of this topic has a number between the first two; from `sure` on they have to come."""
        self._due[topic.name] = Due(least, most, sure, oldest)
        self._forgotten.discard(topic.name)

    def forget(self, topics):
        """They are not subscribed to any more; what was under way may still come."""
        for topic in topics:
            del self._due[topic.name]
            self._forgotten.add(topic.name)

    def reconnect(self):
        """The connection was lost: what the broker does not know to have arrived may come again, in order."""
        for due in self._due.values():
            due.position = None

    def take(self, message):
        """A delivered message."""
        name = message["channel"]
        if name in self._forgotten:
            return
        due = self._due.get(name)
        assert due, f"{self.name}: is not subscribed to {name}, but got {message}"
        assert "data" in message, f"{self.name}: nothing may be missing, but there is {message}"
        number, last = message["data"]["n"], due.last
        assert due.accepts(number), (
            f"{self.name}: {name} {number} came behind {due.position} over this connection, {last} in all "
            f"(the first one had to lie between {due.least} and {due.most})"
        )
        self.count += 1
        self.repeat_count += last is not None and number <= last
        if sequence := message.get("ext", {}).get("seq"):
            self.last_sequence[name] = sequence

    def lacks(self, marks):
        """What it has not got yet of numbers by topics, which were published after it had subscribed."""
        return {
            name: number
            for name, number in marks.items()
            if (due := self._due.get(name)) and due.lacks(number)
        }


def marks(topics):
    """How far the topics are: what was acknowledged must come, or have come, to all who were subscribed before."""
    return {topic.name: topic.acknowledged for topic in topics}

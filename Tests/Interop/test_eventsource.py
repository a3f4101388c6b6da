"""A bare `EventSource` in a real browser, and curl: streams of channels, also over the end of the broker."""

import json
import subprocess

import pytest

from broker import PATIENCE, Process, serving

# Keeps the stream's events where the test can wait for them.
LISTEN = """
    window.events = [];
    window.look = () => {};
    window.source = new EventSource(arguments[0]);
    source.onmessage = (event) => {
        events.push([event.lastEventId, JSON.parse(event.data)]);
        look();
    };
"""
TAKE = """
    const [count, done] = arguments;
    window.look = () => events.length >= count && done(events.splice(0, count));
    look();
"""


@pytest.fixture
def keeper(tmp_path):
    """A broker that keeps a history below /kept."""
    with serving(tmp_path, "channels:\n  /kept/**: { history: 100 }\n") as broker:
        yield broker


@pytest.fixture
def page(browser, keeper):
    browser.get(keeper.url("/health/live"))
    yield browser
    browser.execute_script("window.source?.close()")


def test_a_page_listens(page, keeper):
    page.execute_script(LISTEN, "/channels/news/**")
    keeper.publish_until_matched("/news/a", "first")
    keeper.publish("/news/b", {"text": "line\nbreak"})
    messages = page.execute_async_script(TAKE, 2)
    assert messages == [
        ["", {"channel": "/news/a", "data": "first"}],
        ["", {"channel": "/news/b", "data": {"text": "line\nbreak"}}],
    ]


def test_a_page_misses_nothing_while_the_broker_is_away(page, keeper):
    """The browser comes back by itself, with the last id that it has seen."""
    page.execute_script(LISTEN, "/channels/kept/**")
    keeper.publish_until_matched("/kept/a", 1)
    ((first_id, first),) = page.execute_async_script(TAKE, 1)
    assert (first["data"], first["ext"]["seq"]) == (1, int(first_id))
    keeper.kill()
    keeper.start()
    for number in range(2, 6):
        keeper.publish("/kept/a", number)
    assert [message["data"] for _, message in page.execute_async_script(TAKE, 4)] == [2, 3, 4, 5]


def test_curl_resumes(keeper):
    for number in range(1, 6):
        keeper.publish("/kept/a", number)
    fields = ["-H", "Accept: text/event-stream", "-H", "Last-Event-ID: 3"]
    command = ["curl", "-sN", *fields, keeper.url("/channels/kept/**")]
    with Process(command) as curl:
        lines = [curl.lines.next() for _ in range(8)]
    data = [json.loads(line.removeprefix("data: "))["data"] for line in lines if line.startswith("data: ")]
    assert data == [4, 5]
    assert [line for line in lines if line.startswith("id: ")] == ["id: 4\n", "id: 5\n"]


def test_history_with_curl(keeper):
    for number in range(1, 4):
        keeper.publish("/kept/a", number)
    command = ["curl", "-s", keeper.url("/channels/kept/a?since=1&limit=5")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert [message["data"] for message in json.loads(result.stdout)] == [2, 3]

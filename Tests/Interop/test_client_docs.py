"""What the documentation of the browser client shows is run, each block as a page would; so is the example."""

import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from broker import PATIENCE, REPOSITORY, serving
from script import Script
from web_server import WebServer, files

SETTINGS = """\
channels:
  /chat/*: { history: 100 }
  /orders/open: { history: 100 }
"""
# What the blocks call, and leave to their page: each notes that it was called, and with what.
PAGE = """
    window.called = [];
    for (const name of ["show", "light", "reload", "update", "render", "add"]) {
        window[name] = (...all) => (called.push([name, ...all]), called.filter(([one]) => one === name).length < 2);
    }
    const fetched = fetch;
    window.fetch = async (url, ...all) => (url === "/token" ? new Response("a token") : fetched(url, ...all));
    window.faults = [];
    addEventListener("error", ({ message }) => faults.push(message));
    addEventListener("unhandledrejection", ({ reason }) => faults.push(String(reason)));
    const log = console.log;
    console.log = (...all) => called.push(["log", ...all]);
"""


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("docs"), SETTINGS) as broker:
        yield broker


@pytest.fixture
def script(browser, keeper):
    script = Script(browser, keeper.url("/health/live"))
    script.run(PAGE)
    yield script
    browser.get("about:blank")


def blocks():
    guide = (REPOSITORY / "docs" / "browser.md").read_text(encoding="utf-8")
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    declarations = (REPOSITORY / "web" / "fanfare.d.ts").read_text(encoding="utf-8")
    return [
        *re.findall(r"```js\n(.*?)```", guide, re.DOTALL),
        *re.findall(r'```html\n<script type="module">\n(.*?)</script>\n```', readme, re.DOTALL),
        re.sub(r"(?m)^ \* ?", "", re.search(r"(?m)^ \*     import(?:.*\n \* )*.*$", declarations)[0]),
    ]


# What is published while a block runs, and what it has to call then.
RUNS = [
    ([("/chat/a", {"text": "said"})], ["show", "/chat/a", {"text": "said"}]),
    ([("/prices/a", 1), ("/prices/a", 2)], ["update", 2]),
    ([("/orders/open", "new")], ["add", "new"]),
    ([("/demo/a", "x")], ["log", "/demo/a", "x"]),
    ([("/chat/b", "y")], ["log", "/chat/b", "y"]),
]


def run(script, block):
    script.run(
        """
        const block = document.createElement("script");
        Object.assign(block, { type: "module", textContent: arguments[0] });
        document.head.append(block);
        """,
        block,
    )


def test_every_block_is_run():
    assert len(blocks()) == len(RUNS)


@pytest.mark.parametrize("index", range(len(RUNS)))
def test_block(script, keeper, index):
    published, call = RUNS[index]
    keeper.publish("/orders/open", "old")
    run(script, blocks()[index])
    for channel, data in published:
        keeper.publish_until_matched(channel, data)
    script.wait(f"called.some((one) => JSON.stringify(one.slice(0, {len(call)})) === JSON.stringify({call!r}))")
    assert script.run("return faults") == []


def test_state_that_is_retained(script, keeper):
    """The block that loads the state begins with what is retained, and gets only what comes behind it."""
    keeper.publish("/orders/open?retain=true", "kept")
    index = next(index for index, (_, call) in enumerate(RUNS) if call[0] == "add")
    run(script, blocks()[index])
    keeper.publish_until_matched("/orders/open", "new")
    script.wait("called.length > 1")
    first, *others = script.run("return called.map((one) => one.slice(0, 2))")
    assert first == ["render", "kept"]
    assert all(call == ["add", "new"] for call in others), others
    assert script.run("return faults") == []
    keeper.publish("/orders/open?retain=true", None)


@pytest.fixture(scope="module")
def example():
    """Where the example lies, on a server of its own."""
    with WebServer(files(REPOSITORY / "Examples" / "ChatPage")) as server:
        yield server.url()


def test_chat_page(browser, keeper, example):
    """Two who come one after the other say something; the page shows what was said before, and text as text."""

    def wait(condition):
        WebDriverWait(browser, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def said():
        script = "return [...document.querySelectorAll('#messages li')].map((line) => line.textContent)"
        return browser.execute_script(script)

    expected = []
    for name in ("Ann", "<b>Bob</b>"):
        browser.get(f"{example}?broker={keeper.url('')}")
        wait(lambda: browser.find_element(By.ID, "state").text == "connected")
        wait(lambda: said() == expected)
        browser.find_element(By.ID, "name").send_keys(name)
        browser.find_element(By.ID, "text").send_keys("hello", Keys.ENTER)
        expected.append(f"{name}hello")
        wait(lambda: said() == expected)
        assert browser.find_element(By.ID, "text").get_attribute("value") == ""
    browser.get("about:blank")

"""What the tests share. The programs come from FANFARE_BIN (default: .build/debug of this repository)."""

import pytest

from bayeux import Bystander, Peer
from broker import Broker, serving
from page import Page, start_browser
from proxy import Network
from script import Script


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One broker for all tests that do not stop it; each test has channels of its own."""
    folder = tmp_path_factory.mktemp("broker")
    broker = Broker(folder / "fanfare.db", folder / "broker.log").start()
    try:
        yield broker
        broker.stop()
    finally:
        broker.kill()


@pytest.fixture
def own_broker(tmp_path):
    """A broker of this test, which may stop and start it."""
    with serving(tmp_path) as broker:
        yield broker


@pytest.fixture
def peer(broker):
    with Peer(broker) as peer:
        yield peer


@pytest.fixture
def bystander(broker):
    """A client that gets its message before the test, and has to get one after it."""
    with Peer(broker) as subscriber, Peer(broker) as publisher:
        bystander = Bystander(subscriber, publisher)
        bystander.check()
        yield bystander
        bystander.check()
        subscriber.leave()


@pytest.fixture(scope="session")
def browser():
    driver = start_browser()
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, broker):
    return Page(browser, broker)


@pytest.fixture
def network(keeper):
    """What a page has between itself and the module's `keeper`, and a test can cut."""
    with Network(keeper) as network:
        yield network


@pytest.fixture
def script(browser, network):
    """A page behind that."""
    script = Script(browser, network.url("/health/live"))
    yield script
    browser.get("about:blank")

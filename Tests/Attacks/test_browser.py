"""Pages of other sites in a real browser: whatever they try, they neither get nor change anything."""

import json

import pytest

from bayeux import Peer
from conftest import watch
from web_server import Answer, WebServer

PAGE = b"<!DOCTYPE html><title>elsewhere</title>"
HANDSHAKE = '[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["callback-polling"]}]'
TRIES = {
    "a WebSocket": """
        const socket = new WebSocket(`ws://${host}/bayeux`);
        socket.onopen = () => done("open");
        socket.onerror = () => done("refused");
    """,
    "a request": """
        fetch(`http://${host}/channels/cross/site`, { method: "POST", body: "1" })
            .then((response) => done(response.ok ? "taken" : "refused"), () => done("refused"));
    """,
    "a request that is not asked for beforehand": """
        fetch(`http://${host}/channels/cross/site`, { method: "POST", body: "1", mode: "no-cors",
            headers: { "Content-Type": "text/plain" } }).then(() => done("sent"), () => done("refused"));
    """,
    "a form as text": """
        fetch(`http://${host}/bayeux`, { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" },
            body: "message=" + encodeURIComponent('[{"channel":"/cross/site","data":1}]') })
            .then(() => done("sent"), () => done("refused"));
    """,
    "reading": """
        fetch(`http://${host}/channels/cross/kept`)
            .then((response) => response.text()).then((text) => done("read " + text), () => done("refused"));
    """,
    "an event stream": """
        const stream = new EventSource(`http://${host}/channels/cross/**`);
        stream.onopen = () => done("open");
        stream.onerror = () => done("refused");
    """,
    "metrics": """
        fetch(`http://${host}/metrics`).then((response) => response.text())
            .then((text) => done("read " + text), () => done("refused"));
    """,
    "a script": """
        window.called = (value) => done("read " + JSON.stringify(value));
        const script = document.createElement("script");
        script.src = `http://${host}/bayeux?jsonp=called&message=` + encodeURIComponent(handshake);
        script.onerror = () => done("refused");
        document.head.append(script);
    """,
    "a script of one who hides": """
        window.called = (value) => done("read " + JSON.stringify(value));
        const script = document.createElement("script");
        script.referrerPolicy = "no-referrer";
        script.src = `http://${host}/bayeux?jsonp=called&message=` + encodeURIComponent(handshake);
        script.onerror = () => done("refused");
        document.head.append(script);
    """,
    "a form": """
        const form = document.createElement("form");
        form.method = "POST";
        form.action = `http://${host}/bayeux`;
        form.target = "frame";
        const frame = document.createElement("iframe");
        frame.name = "frame";
        const field = document.createElement("input");
        field.name = "message";
        field.value = '[{"channel":"/cross/site","data":1}]';
        form.append(field);
        document.body.append(frame, form);
        frame.onload = () => done("sent");
        form.submit();
    """,
    "a picture": """
        const picture = new Image();
        picture.onload = picture.onerror = () => done("sent");
        picture.src = `http://${host}/bayeux?jsonp=x&message=`
            + encodeURIComponent('[{"channel":"/cross/site","data":1}]');
    """,
    "the broker's page in a frame": """
        const frame = document.createElement("iframe");
        frame.src = `http://${host}/`;
        frame.onload = () => {
            try { done("read " + frame.contentWindow.document.title); } catch { done("refused"); }
        };
        document.body.append(frame);
    """,
}  # fmt: skip
HARMLESS = {"refused", "sent"}
"""What a try may come to; what was sent must not have been taken."""


@pytest.fixture(scope="module")
def site():
    """Another site, by a name that is none of this machine's: the browser is told where it lies."""
    with WebServer(lambda path: Answer(PAGE)) as server:
        yield server.url(host="evil.example")


@pytest.mark.parametrize("name", TRIES)
def test_cross_site(stranger, site, broker, name):
    broker.publish("/cross/kept?retain=true", "secret")
    with watch(broker, newcomers=False), Peer(broker) as subscriber:
        subscriber.listen("/cross/site", "/cross/end")
        stranger.get(site)
        script = "const [host, handshake, done] = arguments;" + TRIES[name]
        outcome = stranger.execute_async_script(script, f"127.0.0.1:{broker.port}", HANDSHAKE)
        assert outcome in HARMLESS, outcome
        broker.publish("/cross/end", 1)
        assert subscriber.next_message()["channel"] == "/cross/end", "what was sent was not taken"
        subscriber.leave()


def test_a_page_of_this_machine(stranger, broker):
    """The same tries from the broker's own page come through: so it is the origin that counts."""
    stranger.get(broker.url("/"))
    for name in ("a WebSocket", "a request", "an event stream", "a script"):
        script = "const [host, handshake, done] = arguments;" + TRIES[name]
        outcome = stranger.execute_async_script(script, f"127.0.0.1:{broker.port}", HANDSHAKE)
        assert outcome in ("open", "taken") or json.loads(outcome.removeprefix("read "))[0]["successful"], name


def test_a_page_of_which_browsers_say_nothing(stranger, site, make_broker):
    """Over plain HTTP they tell loopback only from which site a request comes: elsewhere one who hides is refused."""
    broker = make_broker("allow-host: [broker.example]\n")
    host = f"broker.example:{broker.port}"
    script = "const [host, handshake, done] = arguments;"
    stranger.get(site)
    hidden = stranger.execute_async_script(script + TRIES["a script of one who hides"], host, HANDSHAKE)
    assert hidden == "refused"
    stranger.get(f"http://{host}/health/live")
    own = stranger.execute_async_script(script + TRIES["a script"], host, HANDSHAKE)
    assert json.loads(own.removeprefix("read "))[0]["successful"], "a page of the same host is let in"


def test_a_name_that_is_bound_to_this_machine(stranger, broker):
    """DNS rebinding: the page's own host, as the browser sees it, is the broker."""
    stranger.get(f"http://evil.example:{broker.port}/")
    assert "no name of this machine" in stranger.page_source

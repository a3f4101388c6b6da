"""Pages of other origins in a real browser: script elements (JSON-P) and fetch, let in or not.

Another port of this machine is another origin, which a broker on loopback lets in; `strange.localhost` is this machine
for the browser, yet no address of it for the broker.
"""

import pytest

from bayeux import Peer
from web_server import Answer, WebServer

# What the pages have at hand: `jsonp` sends a batch by a script element, `post` by fetch.
PAGE = b"""<!doctype html><title>A page of another origin</title><script>
let count = 0;
function jsonp(url, batch, referrerPolicy = "") {
    return new Promise((resolve, reject) => {
        const name = `callback${++count}`;
        const script = document.createElement("script");
        window[name] = resolve;
        script.onerror = () => reject(new Error("refused"));
        script.referrerPolicy = referrerPolicy;
        script.src = `${url}?message=${encodeURIComponent(JSON.stringify(batch))}&jsonp=window.${name}`;
        document.head.append(script);
    });
}
async function post(url, body, headers, credentials = "include") {
    const response = await fetch(url, { method: "POST", body, headers, credentials });
    return [response.status, await response.json()];
}
</script>"""


@pytest.fixture(scope="module")
def site():
    """A web server that has the page at every path and host."""
    with WebServer(lambda path: Answer(PAGE)) as site:
        yield site


@pytest.fixture(params=["127.0.0.1", "localhost"])
def allowed_page(browser, site, request):
    browser.get(site.url(host=request.param))
    return browser


@pytest.fixture
def strange_page(browser, site):
    browser.get(site.url(host="strange.localhost"))
    return browser


@pytest.fixture
def listener(broker):
    with Peer(broker) as listener:
        yield listener.listen("/page/**")
        listener.leave()


def run(browser, broker, body):
    """Run a piece of JavaScript that knows the endpoint as `url`; what it returns, or the error that it throws."""
    script = """
        const [url, done] = arguments;
        (async () => { BODY })().then((value) => done({ value }), (error) => done({ error: error.name }));
    """
    return browser.execute_async_script(script.replace("BODY", body), broker.url("/bayeux"))


TRANSPORTS = [
    ("callback-polling", "const send = jsonp;"),
    (
        "cross-origin-long-polling",
        """
        const send = async (url, batch) => {
            const [status, answer] = await post(url, `message=${encodeURIComponent(JSON.stringify(batch))}`);
            return answer;
        };
        """,
    ),
    (
        "long-polling",
        """
        const send = async (url, batch) => {
            const fields = { "Content-Type": "application/json;charset=UTF-8", "X-Requested-With": "XMLHttpRequest" };
            const [status, answer] = await post(url, JSON.stringify(batch), fields);
            return answer;
        };
        """,
    ),
]


@pytest.mark.parametrize(("transport", "send"), [pytest.param(*row, id=row[0]) for row in TRANSPORTS])
def test_session(allowed_page, broker, listener, transport, send):
    """Handshake, subscribe, connect, publish, and a message in the answer to a connect that was held."""
    outcome = run(
        allowed_page,
        broker,
        f"const type = '{transport}'; {send}"
        """
        const [{ clientId, supportedConnectionTypes }] = await send(url + "/handshake", [
            { channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: [type] },
        ]);
        const connect = [{ channel: "/meta/connect", clientId, connectionType: type }];
        const [subscribed] = await send(url, [{ channel: "/meta/subscribe", clientId, subscription: "/page/poll" }]);
        const [connected] = await send(url + "/connect", connect);
        const held = send(url + "/connect", connect);
        const data = "line\\u2028separators\\u2029 and </script>";
        const [published] = await send(url, [{ channel: "/page/poll", data, clientId, id: "7" }]);
        const [answer, message] = await held;
        const [gone] = await send(url, [{ channel: "/meta/disconnect", clientId }]);
        return {
            offered: supportedConnectionTypes.includes(type), id: published.id, message,
            successful: [subscribed, connected, published, answer, gone].map(({ successful }) => successful),
        };
        """,
    )
    message = {"channel": "/page/poll", "data": "line\u2028separators\u2029 and </script>"}
    assert outcome == {"value": {"offered": True, "id": "7", "message": message, "successful": [True] * 5}}
    assert listener.next_message() == message


# The same publication; what a page can do only if it is let in.
PUBLICATIONS = [
    ("script element", "return jsonp(url, [{ channel: '/page/a', data: 1 }]);"),
    ("fetch without preflight", "return post(url, 'message=' + encodeURIComponent(`[${MESSAGE}]`));"),
    ("fetch with preflight", "return post(url, MESSAGE, { 'Content-Type': 'application/json' });"),
    (
        "fetch with a field that libraries add",
        "return post(url + '/publish', MESSAGE, { 'Content-Type': 'application/json', 'X-Requested-With': 'a' }, 'omit');",
    ),
    (
        "fetch of a channel",
        "return post(url.replace('bayeux', 'channels/page/a?x'), '1', { Retain: 'false' });",
    ),
]
PUBLICATIONS = [
    pytest.param(body.replace("MESSAGE", """'{"channel":"/page/a","data":1}'"""), id=name)
    for name, body in PUBLICATIONS
]


@pytest.mark.parametrize("publication", PUBLICATIONS)
def test_page_that_is_let_in(allowed_page, broker, listener, publication):
    """It can read the answer, and what it published gets out."""
    outcome = run(allowed_page, broker, publication)
    assert "value" in outcome, outcome
    assert listener.next_message() == {"channel": "/page/a", "data": 1}


@pytest.mark.parametrize("publication", PUBLICATIONS)
def test_page_that_is_not_let_in(strange_page, broker, listener, publication):
    """It is refused, and nothing that it sent had an effect."""
    assert "error" in run(strange_page, broker, publication)
    broker.publish("/page/end", 2)
    assert listener.next_message()["data"] == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "strange.localhost"])
def test_page_that_hides_itself(browser, site, broker, listener, host):
    """A script element need not name its page: then the browser's word that it is another one has to do."""
    browser.get(site.url(host=host))
    body = "return jsonp(url, [{ channel: '/page/a', data: 1 }], 'no-referrer');"
    assert run(browser, broker, body) == {"error": "Error"}
    broker.publish("/page/end", 2)
    assert listener.next_message()["data"] == 2


def test_the_brokers_own_page_may_hide_itself(browser, broker, listener):
    browser.get(broker.url("/health/live"))
    body = """
        const script = document.createElement("script");
        script.referrerPolicy = "no-referrer";
        script.src = `${url}?message=${encodeURIComponent('[{"channel":"/page/a","data":1}]')}&jsonp=got`;
        return new Promise((resolve, reject) => {
            window.got = resolve;
            script.onerror = () => reject(new Error("refused"));
            document.documentElement.append(script);
        });
    """
    assert run(browser, broker, body)["value"][0]["successful"] is True
    assert listener.next_message() == {"channel": "/page/a", "data": 1}

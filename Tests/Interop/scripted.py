"""fanfare.js in a page, alone or with a broker of a few lines in the place of the real one."""


def run(page, body):
    """Run a piece of JavaScript with `connect` at hand; what it returns, or the error that it throws."""
    script = """
        const [done] = [...arguments].slice(-1);
        import("/fanfare.js").then(async ({ connect, matches, Fanfare }) => { BODY })
            .then((value) => done({ value }), (error) => done({ error: `${error.name}: ${error.message}` }));
    """
    return page.browser.execute_async_script(script.replace("BODY", body))


# A broker in a few lines: `answers` maps a channel to what is received after a message is sent on it; `sent` has one
# list per socket; `sockets` lets the test close one.
SCRIPTED = """
    const sent = [], sockets = [], states = [];
    const openSocket = (events) => {
        const log = [];
        sent.push(log);
        sockets.push(events);
        setTimeout(events.open);
        return { close() {}, send(text) {
            const [message] = JSON.parse(text);
            log.push(message);
            const answer = (answers[message.channel] ?? (() => undefined))(message, sent.length, log);
            if (answer) setTimeout(() => events.receive(JSON.stringify(answer)));
        } };
    };
    const ok = ({ id, channel }, more) => [{ id, channel, successful: true, ...more }];
    const isHeld = ({ advice }) => advice.timeout > 0;
    const no = ({ id, channel }, error, more) => [{ id, channel, successful: false, error, ...more }];
    const answers = {
        "/meta/handshake": (message, socket) => ok(message, { clientId: `client${socket}` }),
        "/meta/connect": (message) => (isHeld(message) ? undefined : ok(message)),
        "/meta/subscribe": ok, "/meta/unsubscribe": ok, "/meta/disconnect": ok,
    };
    const start = (options = {}) => {
        const fanfare = new Fanfare(openSocket, options);
        fanfare.addEventListener("state", ({ detail: { state, error } }) => {
            states.push(error ? [state, error] : state);
        });
        return fanfare;
    };
    const recordDelays = () => {
        const delays = [], later = setTimeout;
        globalThis.setTimeout = (step, delay) => {
            delays.push(delay);
            return later(step);
        };
        return delays;
    };
    const state = (fanfare, wanted) => new Promise((resolve) => {
        fanfare.addEventListener("state", ({ detail }) => detail.state === wanted && resolve());
    });
    const brief = (log) => log.map(({ channel, clientId, data }) => [channel, clientId, data].join(" ").trim());
"""


def run_scripted(page, body):
    """The same with `start`, which makes a client of that broker."""
    return run(page, SCRIPTED + body)

/** The page for trying the broker out: subscribe, publish, and see what comes. */
import { connect } from "/fanfare.js";

const shownAtMost = 200;
const longestShown = 20_000;
const channelsAtMost = 100;
const byId = (id) => document.getElementById(id);
const [state, status, messages, subscriptions] = ["state", "status", "messages", "subscriptions"].map(byId);
const stateNames = { waiting: "reconnecting", closed: "disconnected" };
let received = 0;

const fanfare = connect();
fanfare.addEventListener("state", ({ detail }) => {
    state.textContent = detail.reason === "offline" ? "offline" : (stateNames[detail.state] ?? detail.state);
    state.title = detail.error ?? (detail.reason ? `${detail.reason} (${detail.code})` : "");
    state.dataset.state = detail.state;
    byId("transport").textContent = detail.state === "connected" ? fanfare.transport : "";
    if (detail.error) say(detail.error, true);
});
fanfare.addEventListener("error", ({ detail }) => say(detail.message, true));
fanfare.addEventListener("gap", ({ detail }) => {
    say(gapText(detail), true);
    prepend(element("li", gapText(detail), { className: "gap" }));
});

/** What is missing: a range of the log, so many messages that it never had, or what came before it began anew. */
function gapText({ channel, from, to = from, count, isReset }) {
    if (isReset) return `The broker's log began anew: what came on ${channel} meanwhile may be missing`;
    if (from !== undefined && from !== to) return `Missed on ${channel}: messages ${from} to ${to}`;
    if (from !== undefined) return `Missed on ${channel}: message ${from}`;
    return `Missed on ${channel}: ${count === 1 ? "1 message" : `${count ?? "some"} messages`}`;
}

function say(text, bad = false) {
    status.textContent = text;
    status.classList.toggle("bad", bad);
}

/** An element with a text; never HTML, for what is shown comes from strangers. */
function element(name, text, properties = {}) {
    return Object.assign(document.createElement(name), { textContent: text }, properties);
}

const token = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|(true|false|null)/g;

/** JSON with its strings, numbers and words in colour; names stay as they are. */
function coloured(text) {
    const parts = document.createDocumentFragment();
    let end = 0;
    for (const { 0: all, 1: string, 2: colon, 3: number, index } of text.matchAll(token)) {
        if (colon) continue;
        parts.append(text.slice(end, index));
        parts.append(element("span", all, { className: string ? "string" : number ? "number" : "word" }));
        end = index + all.length;
    }
    parts.append(text.slice(end));
    return parts;
}

function show(data, { channel, ext }) {
    const now = new Date();
    const line = document.createElement("div");
    line.append(element("span", channel, { className: "channel" }));
    if (ext?.retained) line.append(element("span", "retained", { className: "mark" }));
    if (ext?.seq) line.append(element("span", `#${ext.seq}`, { className: "mark", title: "Its number in the log" }));
    line.append(element("time", now.toLocaleTimeString(), { dateTime: now.toISOString() }));
    const short = JSON.stringify(data);
    const text = short.length <= 72 ? short : JSON.stringify(data, null, 2);
    const body = element("pre", "", { className: "data" });
    body.append(text.length > longestShown ? `${text.slice(0, longestShown)}…` : coloured(text));
    const item = document.createElement("li");
    item.append(line, body);
    prepend(item);
    received += 1;
    byId("received").textContent = received.toLocaleString();
    if (received > shownAtMost) byId("count").textContent = `the last ${shownAtMost}`;
}

function prepend(item) {
    messages.prepend(item);
    while (messages.children.length > shownAtMost) messages.lastElementChild.remove();
}

// Rates: how many messages came in each of the last 60 seconds; the last one is still counting.
const rates = new Array(60).fill(0);

function drawRates() {
    const complete = rates.slice(0, -1);
    const highest = Math.max(...complete, 1);
    const points = complete.map((rate, second) => `${second},${(19 - (rate / highest) * 18).toFixed(2)}`);
    byId("rate").querySelector("polyline").setAttribute("points", points.join(" "));
    byId("rate").querySelector("path").setAttribute("d", `M0,20 L${points.join(" L")} L58,20 Z`);
    byId("rate-now").textContent = complete.at(-1);
    byId("rate-peak").textContent = Math.max(...complete);
}
setInterval(() => {
    rates.shift();
    rates.push(0);
    drawRates();
}, 1000);
drawRates();

/** By channel: how many came, and its line. */
const channels = new Map();

function countChannel(name) {
    let channel = channels.get(name);
    if (!channel) {
        if (channels.size === channelsAtMost) return;
        const button = element("button", "", { type: "button", title: `Publish to ${name}` });
        button.append(element("span", name), element("span", "", { className: "quiet" }));
        button.onclick = () => {
            byId("publish-channel").value = name;
            byId("publish-data").focus();
        };
        const item = document.createElement("li");
        item.append(button);
        byId("channels").append(item);
        channel = { count: 0, text: button.lastElementChild };
        channels.set(name, channel);
        byId("channel-count").textContent = channels.size;
    }
    channel.text.textContent = ++channel.count;
}

/** By channel: the line of its retained message; and those that have to be looked at. */
const retained = new Map();
const changed = new Set();

/** A stored message may have become the retained one, or cleared it: ask, once for all that come meanwhile. */
async function lookAtRetained(channel) {
    if (changed.has(channel) || (!retained.has(channel) && retained.size === channelsAtMost)) return;
    changed.add(channel);
    await new Promise((resolve) => setTimeout(resolve, 250));
    changed.delete(channel);
    const response = await fetch(`/channels${channel}`).catch(() => undefined);
    if (response?.status === 404) {
        retained.get(channel)?.remove();
        retained.delete(channel);
    } else if (response?.ok) showRetained(channel, (await response.text()).trim());
}

function showRetained(channel, text) {
    let line = retained.get(channel);
    if (!line) {
        line = document.createElement("div");
        line.append(element("dt", channel), element("dd", ""));
        retained.set(channel, line);
        byId("retained").append(line);
    }
    line.lastElementChild.textContent = line.lastElementChild.title = text.slice(0, 500);
}

const subscribed = new Set();
const shown = new WeakSet();

/** A message that several patterns match comes once for each, and is shown once. */
function showOnce(data, message) {
    if (shown.has(message)) return;
    shown.add(message);
    if (message.ext?.retained) showRetained(message.channel, JSON.stringify(data));
    else {
        rates[rates.length - 1] += 1;
        if (message.ext?.seq) lookAtRetained(message.channel);
    }
    countChannel(message.channel);
    show(data, message);
}

async function subscribe(pattern) {
    if (subscribed.has(pattern)) return say(`Already subscribed to ${pattern}`);
    subscribed.add(pattern);
    try {
        const subscription = await fanfare.subscribe(pattern, showOnce);
        const item = element("li", pattern);
        const remove = element("button", "✕", { type: "button", ariaLabel: `Unsubscribe from ${pattern}` });
        remove.onclick = () => {
            subscribed.delete(pattern);
            item.remove();
            byId("subscribe-channel").focus();
            subscription.unsubscribe().catch((error) => say(error.message, true));
        };
        item.append(remove);
        subscriptions.append(item);
    } catch (error) {
        subscribed.delete(pattern);
        say(error.message, true);
    }
}

async function publish(channel, text) {
    let data;
    try {
        data = JSON.parse(text);
    } catch (error) {
        byId("publish-data").focus();
        return say(`This is not JSON: ${error.message}`, true);
    }
    say(fanfare.state === "connected" ? "Publishing…" : "Waiting for the connection…");
    try {
        const options = { retain: byId("publish-retain").checked, receipt: true };
        const { seq, matched = 0 } = await fanfare.publish(channel, data, options);
        const reached = `${matched} subscriber${matched === 1 ? "" : "s"} now`;
        say(`Published to ${channel}: ${reached}, ${seq ? `kept as number ${seq}` : "not kept"}`);
    } catch (error) {
        say(error.message, true);
    }
}

byId("subscribe-form").onsubmit = (event) => {
    event.preventDefault();
    subscribe(byId("subscribe-channel").value.trim());
};
byId("publish-form").onsubmit = (event) => {
    event.preventDefault();
    publish(byId("publish-channel").value.trim(), byId("publish-data").value);
};
byId("publish-data").onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("publish-form").requestSubmit();
};
byId("clear-button").onclick = () => {
    messages.replaceChildren();
    byId("count").textContent = "";
    byId("received").textContent = received = 0;
};
byId("shell").textContent = `curl -d '{"text":"hello"}' \\\n${location.origin}/channels/demo/hello`;
subscribe("/demo/**");

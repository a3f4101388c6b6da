// The administrator's dashboard: asks /admin and /metrics every two seconds, and draws what it hears.
// No dependency, nothing inline. What clients chose (ids, channels) is only ever set as text.

const PERIOD = 2000;
const POINTS = 150;
const TOKEN = "fanfare-dashboard-token";
const $ = (id) => document.getElementById(id);

/** An element with a class and a text. */
function make(name, className = "", text = "") {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== "") element.textContent = text;
    return element;
}

class Refused extends Error {
    constructor(status, detail) {
        super(detail);
        this.status = status;
    }
}

/** A request in the administrator's name. */
async function ask(path, options = {}) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
    const text = await response.text();
    if (response.ok) return text;
    let detail = text;
    try {
        const problem = JSON.parse(text);
        detail = problem.detail ?? problem.title;
    } catch { /* It is no problem document. */ }
    throw new Refused(response.status, detail);
}

const json = async (path) => JSON.parse(await ask(path));

/** Prometheus's text as families: name → [{ labels, value }]. */
function families(text) {
    const result = new Map();
    for (const line of text.split("\n")) {
        const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
        if (!match) continue;
        const labels = Object.fromEntries([...(match[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]]));
        if (!result.has(match[1])) result.set(match[1], []);
        result.get(match[1]).push({ labels, value: Number(match[3]) });
    }
    return result;
}

/** One reading: sums of families, and counts of histograms. */
class Reading {
    constructor(text) {
        this.at = performance.now() / 1000;
        this.families = families(text);
    }

    sum(name, labels = {}) {
        const wanted = Object.entries(labels);
        return (this.families.get(name) ?? [])
            .filter((sample) => wanted.every(([key, value]) => sample.labels[key] === value))
            .reduce((total, sample) => total + sample.value, 0);
    }

    buckets(name) {
        const counts = new Map();
        for (const { labels, value } of this.families.get(`${name}_bucket`) ?? []) {
            const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
            counts.set(bound, (counts.get(bound) ?? 0) + value);
        }
        return [...counts].sort((a, b) => a[0] - b[0]);
    }
}

/** How much a counter has grown in a second. */
function rate(now, before, name, labels) {
    if (!before) return 0;
    return Math.max(0, now.sum(name, labels) - before.sum(name, labels)) / Math.max(now.at - before.at, 0.001);
}

/** A quantile of what a histogram has counted between two readings, in milliseconds; the bound of its range. */
function quantile(now, before, name, part) {
    const old = new Map(before?.buckets(name) ?? []);
    const grown = now.buckets(name).map(([bound, count]) => [bound, count - (old.get(bound) ?? 0)]);
    const all = grown.at(-1)?.[1] ?? 0;
    if (!before || all <= 0) return 0;
    const found = grown.findIndex(([, count]) => count >= part * all);
    const bound = grown[found][0];
    return 1000 * (bound === Infinity ? grown[found - 1]?.[0] ?? 0 : bound);
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const count = (value) => (value < 10 && value % 1 ? value.toFixed(1) : compact.format(value));
const milliseconds = (value) => (value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${count(value)} ms`);

function bytes(value) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
        value /= 1024;
        unit += 1;
    }
    return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function span(seconds) {
    if (seconds < 60) return `${Math.round(seconds)} s`;
    if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
    return seconds < 86400 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} d`;
}

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["one", "two", "three"];

/** A graph of the last five minutes, of up to three lines. */
class Chart {
    constructor(title, lines, format) {
        this.lines = lines;
        this.format = format;
        this.points = lines.map(() => []);
        this.figure = make("figure", "chart");
        const caption = make("figcaption");
        caption.append(make("b", "", title));
        this.keys = lines.map((line, index) => {
            const key = make("span", `key ${COLOURS[index]}`, `${line.name} `);
            const value = make("b");
            key.append(value);
            caption.append(key);
            return value;
        });
        const svg = document.createElementNS(SVG, "svg");
        svg.setAttribute("viewBox", `0 0 ${POINTS - 1} 100`);
        svg.setAttribute("preserveAspectRatio", "none");
        svg.setAttribute("aria-hidden", "true");
        for (const y of [0, 50, 100]) {
            const grid = document.createElementNS(SVG, "line");
            const ends = { x1: 0, x2: POINTS - 1, y1: y, y2: y };
            for (const [name, value] of Object.entries(ends)) grid.setAttribute(name, value);
            svg.append(grid);
        }
        this.paths = lines.map((_, index) => {
            const [area, path] = ["path", "path"].map((name) => document.createElementNS(SVG, name));
            area.setAttribute("class", `area ${COLOURS[index]}`);
            path.setAttribute("class", COLOURS[index]);
            svg.append(area, path);
            return [area, path];
        });
        const scale = make("div", "scale");
        this.most = make("span");
        scale.append(make("span", "", "5 min ago"), this.most, make("span", "", "now"));
        this.figure.append(caption, svg, scale);
    }

    add(now, before) {
        this.lines.forEach((line, index) => {
            this.points[index].push(line.read(now, before));
            if (this.points[index].length > POINTS) this.points[index].shift();
        });
        const most = Math.max(...this.points.flat(), 0);
        const top = most > 0 ? most * 1.1 : 1;
        this.points.forEach((points, index) => {
            const start = POINTS - points.length;
            const steps = points.map((value, place) => `${start + place} ${(100 - (100 * value) / top).toFixed(2)}`);
            const [area, path] = this.paths[index];
            path.setAttribute("d", `M${steps.join("L")}`);
            area.setAttribute("d", `M${start} 100L${steps.join("L")}L${POINTS - 1} 100Z`);
            this.keys[index].textContent = this.format(points.at(-1));
        });
        this.most.textContent = most > 0 ? `highest ${this.format(most)}` : "";
    }
}

const perSecond = (name, labels) => (now, before) => rate(now, before, name, labels);
const slowest = (name, part) => (now, before) => quantile(now, before, name, part);
const level = (name, labels) => (now) => now.sum(name, labels);

const charts = [
    new Chart("Messages per second", [
        { name: "published", read: perSecond("fanfare_messages_received_total", { kind: "publish" }) },
        { name: "delivered", read: perSecond("fanfare_messages_delivered_total") },
        { name: "dropped", read: perSecond("fanfare_messages_dropped_total") },
    ], count),
    new Chart("Connections", ["websocket", "eventsource", "http"].map((transport) => (
        { name: transport, read: level("fanfare_connections", { transport }) })), count),
    new Chart("Delivery", [0.5, 0.99].map((part) => (
        { name: `p${part * 100}`, read: slowest("fanfare_delivery_lag_seconds", part) })),
    milliseconds),
    new Chart("Traffic per second", [
        { name: "out", read: perSecond("fanfare_sent_bytes_total") },
        { name: "in", read: perSecond("fanfare_received_bytes_total") },
    ], bytes),
    new Chart("Waiting", [
        { name: "for connections", read: level("fanfare_send_queue_bytes") },
        { name: "for sessions", read: level("fanfare_session_queue_bytes") },
        { name: "to be taken in", read: level("fanfare_receive_queue_bytes") },
    ], bytes),
    new Chart("Store", [
        { name: "commit p99", read: slowest("fanfare_store_commit_duration_seconds", 0.99) },
        { name: "event loops late p99", read: slowest("fanfare_event_loop_lag_seconds", 0.99) },
    ], milliseconds),
];

const tiles = [
    ["Connections", (now) => count(now.sum("fanfare_connections"))],
    ["Sessions", (now) => count(now.sum("fanfare_sessions"))],
    ["Channels", (now) => count(now.sum("fanfare_channels"))],
    ["Messages/s", (now, before) => count(rate(now, before, "fanfare_messages_delivered_total"))],
    ["Slow consumers", (now) => count(level("fanfare_slow_consumers")(now)),
        (now) => now.sum("fanfare_slow_consumers") > 0],
    ["Store", (now) => bytes(now.sum("fanfare_store_bytes"))],
    ["Memory", (now) => bytes(now.sum("process_resident_memory_bytes"))],
    ["Processor", (now, before) => `${Math.round(100 * rate(now, before, "process_cpu_seconds_total"))} %`],
].map(([title, read, warns]) => {
    const element = make("div", "tile");
    const value = make("strong", "", "–");
    element.append(make("p", "", title), value);
    return { element, value, read, warns };
});

/** Rows of a table, each a list of cells; `cell` is a text, or [text or element, class]. */
function fill(id, rows, nothing) {
    const body = $(id).tBodies[0];
    const focused = document.activeElement?.dataset?.id;
    body.replaceChildren(...rows.map((cells) => {
        const row = make("tr");
        for (const cell of cells) {
            const [content, className] = Array.isArray(cell) ? cell : [cell, ""];
            const element = make("td", className);
            element.append(content);
            row.append(element);
        }
        return row;
    }));
    if (rows.length === 0) {
        const cell = make("td", "empty", nothing);
        cell.colSpan = 9;
        const row = make("tr");
        row.append(cell);
        body.append(row);
    }
    // Who stands on a button with the keyboard keeps standing there.
    if (focused) body.querySelector(`button[data-id="${CSS.escape(focused)}"]`)?.focus();
}

let sessions = [];

function showSessions() {
    const text = $("session-filter").value.trim().toLowerCase();
    const found = sessions
        .filter((session) => `${session.id} ${session.state} ${session.slow ? "slow" : ""}`.includes(text))
        .sort((a, b) => b.slow - a.slow || b.queued_bytes - a.queued_bytes || (a.id < b.id ? -1 : 1));
    fill("sessions", found.map((session) => {
        const state = make("span");
        state.append(make("span", `badge ${session.state}`, session.stream ? "stream" : session.state));
        if (session.slow) state.append(make("span", "badge slow", "slow"));
        const kick = make("button", "danger", "Kick");
        kick.dataset.id = session.id;
        kick.setAttribute("aria-label", `Kick session ${session.id}`);
        kick.addEventListener("click", () => void kickSession(session.id));
        return [
            [session.id, "code"], state,
            [count(session.subscription_count), "n"], [count(session.queued_messages), "n"],
            [bytes(session.queued_bytes), "n"], [String(session.cursor), "n"], kick,
        ];
    }), text ? "No session matches." : "Nobody is there.");
}

function confirmed(text, action) {
    $("confirm-text").textContent = text;
    $("confirm-yes").textContent = action;
    const dialog = $("confirm");
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
}

let noticeTimer;

function notice(text) {
    $("notice").textContent = text;
    clearTimeout(noticeTimer);
    noticeTimer = setTimeout(() => { $("notice").textContent = ""; }, 6000);
}

async function kickSession(id) {
    if (!await confirmed(`End the session ${id}? Its client is told to stay away.`, "Kick")) return;
    try {
        await ask(`/admin/sessions/${id}`, { method: "DELETE" });
        notice(`The session ${id} has ended.`);
    } catch (error) {
        notice(error.message);
    }
    await showLists();
}

function channelPath() {
    const segments = $("retained-channel").value.trim().split("/").filter(Boolean);
    return `/channels/${segments.map(encodeURIComponent).join("/")}`;
}

async function look() {
    $("retained-clear").disabled = true;
    try {
        const text = await ask(channelPath());
        $("retained-value").textContent = text;
        $("retained-clear").disabled = false;
    } catch (error) {
        $("retained-value").textContent = error.message;
    }
}

async function clearRetained() {
    const channel = $("retained-channel").value.trim();
    if (!await confirmed(`Clear the retained message of ${channel}?`, "Clear")) return;
    try {
        await ask(`${channelPath()}?retain=true`, { method: "POST", body: "null" });
        notice(`The retained message of ${channel} is cleared.`);
    } catch (error) {
        notice(error.message);
    }
    await look();
}

async function showLists() {
    const [list, channels, ended] = await Promise.all([
        json("/admin/sessions?limit=500"), json("/admin/channels?limit=500"), json("/admin/sessions/why?limit=50"),
    ]);
    sessions = list.sessions;
    $("sessions-note").textContent = list.next === null ? "" : "the first 500";
    showSessions();
    $("channels-note").textContent = channels.next === null ? "" : "the first 500";
    channels.channels.sort((a, b) => b.subscribers - a.subscribers || (a.channel < b.channel ? -1 : 1));
    fill("channels", channels.channels.map((entry) => [
        [entry.channel, "code name"], [count(entry.subscribers), "n"],
    ]), "Nobody has subscribed.");
    fill("ended", ended.sessions.map((session) => [
        [session.id, "code"], new Date(session.ended_at).toLocaleTimeString(),
        session.reason.replace("_", " ") + (session.connection_lost ? ` (${session.connection_lost})` : ""),
        [span(session.lifetime_seconds), "n"], [count(session.dropped), "n"],
    ]), "None has ended yet.");
}

function say(state, text) {
    $("state").dataset.state = state;
    $("state").textContent = text;
}

let before;

async function refresh() {
    const [stats, metrics] = await Promise.all([json("/admin/stats"), ask("/metrics")]);
    const now = new Reading(metrics);
    $("version").textContent = stats.version;
    for (const tile of tiles) {
        tile.value.textContent = tile.read(now, before);
        tile.element.classList.toggle("warn", tile.warns?.(now) ?? false);
    }
    for (const chart of charts) chart.add(now, before);
    before = now;
    await showLists();
    document.querySelector("main").hidden = false;
    $("token-form").hidden = true;
    say("live", `live, up ${span(stats.uptime_seconds)}`);
}

/** Again and again, as long as somebody looks. */
async function run() {
    try {
        if (!document.hidden) await refresh();
    } catch (error) {
        if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
            sessionStorage.removeItem(TOKEN);
            document.querySelector("main").hidden = true;
            $("token-form").hidden = false;
            $("token").focus();
            return say("waiting", "for the administrator");
        }
        say("lost", error instanceof Refused ? error.message : "the broker does not answer");
        // What a restarted broker counts begins at zero.
        before = undefined;
    }
    setTimeout(run, PERIOD);
}

document.querySelector(".tiles").append(...tiles.map((tile) => tile.element));
document.querySelector(".charts").append(...charts.map((chart) => chart.figure));
$("session-filter").addEventListener("input", showSessions);
$("retained-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void look();
});
$("retained-channel").addEventListener("input", () => { $("retained-clear").disabled = true; });
$("retained-clear").addEventListener("click", () => void clearRetained());
$("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, $("token").value.trim());
    $("token").value = "";
    void run();
});
void run();

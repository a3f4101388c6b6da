/** Fanfare's browser client. What can be called: fanfare.d.ts; the session's rules: docs/browser.md. */

const defaultAdvice = { interval: 0, timeout: 60_000 };
/** All in milliseconds: for an answer, and how long the broker may be silent before. */
const answerTimeout = 10_000;
const heartbeat = 25_000;
/** For a socket to open; half of it, if other transports are left. */
const openTimeout = 5_000;
const stableAfter = 10_000;
const firstRetry = 500;
const longestRetry = 20_000;
const watchInterval = 1_000;
/** So often what has worked is tried first. */
const patience = 3;
/** Channels that a subscription remembers. */
const seenCount = 2_000;
const closeReasons = { 1009: "too-large", 1012: "restart" };
/** Why a state was entered. The place is its code, unless a socket or the broker gave one. */
const reasons = [
    undefined, "disconnect", "network", "timeout", "offline", "hidden", "session", "refused", "unauthorized",
    "too-large", "restart", "upgrade",
];
const loopback = /\/\/(localhost|127\.|\[::1)/;
const sessionEnded = "The broker ended the session.";
const sessionClosed = () => new FanfareError("The session is closed.", "closed");

export class FanfareError extends Error {
    name = "FanfareError";

    constructor(text, category, cause) {
        super(text, { cause });
        const code = /^(\d{3}):/.exec(text)?.[1];
        this.code = code && Number(code);
        this.category = category || (code === "401" || code === "403" ? "denied" : "refused");
    }
}

const modules = {};
let loads = 0;

/** After a failure it has another name, for browsers remember it. */
function load(name) {
    modules[name] ??= import(`./fanfare-${name}.js${loads ? `?${loads}` : ""}`).catch((error) => {
        loads++;
        delete modules[name];
        throw error;
    });
    return modules[name];
}

export function connect(url = "/bayeux", options = {}) {
    if (!url.href && typeof url === "object") [url, options] = [url.url ?? "/bayeux", url];
    const endpoint = new URL(url, globalThis.location?.href);
    endpoint.protocol = endpoint.protocol.replace("ws", "http");
    const { transports = ["websocket", "eventsource", "long-polling"] } = options;
    const own = { ...options, key: `fanfare:${endpoint}`, transports };
    const isShared = options.share && globalThis.navigator?.locks && globalThis.BroadcastChannel;
    const shared = { key: `fanfare:shared:${endpoint}`, transports: ["shared"], token: undefined, ext: undefined };
    const all = { ...own, ...(isShared && shared) };
    const open = (events, transport) => {
        if (transport === "websocket") return openWebSocket(endpoint, events);
        const name = isShared ? "tabs" : "fallback";
        return openLater(name, events, (loaded) => loaded.open(transport, endpoint, events, own));
    };
    // To resume is to take up what a page before this one left before a socket is opened.
    const resume = (events, transport, kept) => openLater("resume", events, ({ restore }) => {
        restore(all, kept);
        return open(events, transport);
    });
    return new Fanfare(all.resume ? resume : open, all);
}

export function matches(pattern, channel) {
    if (pattern.endsWith("/**")) return channel.startsWith(pattern.slice(0, -2));
    if (!pattern.endsWith("/*")) return pattern === channel;
    const parent = pattern.slice(0, -1);
    return channel.startsWith(parent) && !channel.includes("/", parent.length);
}

export class Fanfare extends EventTarget {
    state = "connecting";
    transport;
    #reason;
    /** The session, the newest sequence number and its log, what is acknowledged, if anything is. */
    #place = { seq: 0 };
    /** What is wanted: { pattern, callback, backlog, seen (numbers by channel), active, … }. */
    #subscribers = new Set();
    /** By id, in the order they were made: { id, fields, data, answer, socket, sentAt }. */
    #requests = new Map();
    /** For other modules, and the token. */
    #kept = {
        place: this.#place,
        subscribers: this.#subscribers,
        requests: this.#requests,
        hand,
        failed: (error) => this.#tell("error", error),
        unsubscribe: (subscriber) => this.#unsubscribe(subscriber),
        refused: ({ message }) => this.#finish(message, "unauthorized"),
        isOver: () => this.state === "closed",
        renew: (delay) => this.#later("renewal", () => this.#fetchToken(() => this.#check()), delay),
    };
    #socket;
    #opened = false;
    #works = false;
    #advice = defaultAdvice;
    /** The interval that was advised first. */
    #usual = 0;
    /** The handshake or connect under way: { id, due }. */
    #meta;
    /** While the broker is told good-bye. */
    #leaving;
    #attempts = 0;
    /** Transports that failed since one last worked, and the one that did. */
    #failures = 0;
    #winner;
    #index = 0;
    /** A session's ids are used once, by all of its pages. */
    #ids = Math.random().toString(36).slice(2, 8);
    #lastId = 0;
    #lastReceived = 0;
    #lastWatch = 0;
    /** Tokens refused since it was connected. */
    #refusals = 0;
    #isNew = false;
    /** By name: { run, due, timer }. */
    #timers = {};
    #watch;
    #ticker;
    #openSocket;
    #options;
    #transports;
    #listeners = {
        online: () => this.#check(),
        offline: () => this.#isOffline && this.#pause("offline"),
        visibilitychange: () => (this.#isHidden ? this.#tickWhileHidden() : this.#check()),
        pagehide: ({ persisted }) => this.#hide(persisted),
        pageshow: ({ persisted }) => persisted && this.#check(),
    };

    constructor(openSocket, options = {}) {
        super();
        this.#openSocket = openSocket;
        this.#options = options;
        this.#transports = options.transports ?? ["websocket"];
        this.#recall();
        this.#place.clientId = options.clientId;
        this.#listen("addEventListener");
        if (this.#isHidden) this.#tickWhileHidden();
        this.#open();
    }

    get clientId() {
        return this.#place.clientId;
    }

    subscribe(pattern, callback, options) {
        if (typeof callback !== "function") [callback, options] = [undefined, callback];
        const { since, replay = since === "start" ? -2 : since, retained = true, buffer = 10_000 } = options ?? {};
        const known = this.#kept.claim?.(pattern);
        const from = replay === -1 ? undefined : replay;
        const subscriber = known ?? { pattern, replay, from, seen: new Map(), backlog: [], subscribed: deferred() };
        Object.assign(subscriber, { callback, retained, buffer });
        if (!known) {
            this.#subscribers.add(subscriber);
            this.#requestSubscription(subscriber);
        }
        const subscription = {
            pattern,
            unsubscribe: () => this.#unsubscribe(subscriber),
            [Symbol.asyncIterator]: () => this.#iterate(subscriber),
        };
        return Object.assign(subscriber.subscribed.promise.then(() => subscription), subscription);
    }

    async publish(channel, data, { ext, retain, ttl, noEcho, receipt, id } = {}) {
        const text = JSON.stringify(data);
        if (text === undefined) throw new TypeError("What is published must have a JSON form.");
        for (const [name, value] of Object.entries({ retain, ttl, noEcho, receipt })) {
            if (value) ext = { ...ext, [name]: value };
        }
        const answer = await this.#request({ channel, ext }, text, id);
        const { seq, matched } = answer.ext ?? {};
        return { ...answer, seq, matched };
    }

    async disconnect() {
        if (this.state !== "connected") return this.#finish();
        if (!this.#leaving) {
            this.#leaving = deferred();
            this.#send({ channel: "/meta/disconnect", clientId: this.clientId, id: this.#newId() });
            this.#later("next", () => this.#finish(), this.#patience);
        }
        return this.#leaving.promise;
    }

    /** The sharing of tabs hands messages on from here. */
    deliver(message) {
        if (message.subscription) return this.#takeAway(message);
        const { channel, ext } = message;
        const { seq, epoch, gap, retained } = ext ?? {};
        if (gap) this.#tell("gap", { channel, ...gap });
        if (!("data" in message)) return;
        const place = this.#place;
        if (epoch && epoch !== place.epoch) {
            if (place.epoch) {
                // The log began anew, with lower numbers.
                for (const one of this.#subscribers) Object.assign(one, { replay: 0, from: 0, seen: new Map() });
                this.#tell("gap", { channel, isReset: true });
                place.seq = 0;
            }
            place.epoch = epoch;
        }
        place.seq = Math.max(place.seq, seq ?? 0);
        for (const subscriber of this.#subscribers) {
            if (!subscriber.active || !matches(subscriber.pattern, channel)) continue;
            if (seq && !isNews(subscriber, channel, seq, retained)) continue;
            if (!retained || subscriber.retained) hand(subscriber, message);
        }
    }

    #open() {
        this.#cancel("next");
        this.#setState("connecting");
        this.transport = this.#transports[this.#index];
        const current = (step) => (...values) => socket === this.#socket && step(...values);
        const socket = this.#openSocket({
            open: current(() => {
                this.#opened = true;
                this.clientId ? this.#connect(0) : this.#handshake();
            }),
            receive: current((text) => this.#receive(text)),
            close: current((code, text) => this.#lost(closeReasons[code] ?? "network", code, text)),
            upgrade: current(() => {
                this.#index = 0;
                this.#winner = undefined;
                this.#lost("upgrade");
            }),
        }, this.transport, this.#kept);
        this.#socket = socket;
        const hasOthers = this.#transports.length > 1 && this.transport !== this.#winner;
        this.#meta = { id: "", due: performance.now() + openTimeout / (hasOthers ? 2 : 1) };
        this.#lastWatch = Date.now();
        this.#watch = setInterval(() => this.#checkAnswers(), watchInterval);
    }

    #dropSocket() {
        const socket = this.#socket;
        this.#socket = this.#meta = undefined;
        this.#opened = this.#works = false;
        clearInterval(this.#watch);
        this.#cancel("stable", "next");
        socket?.close();
    }

    #pause(reason) {
        this.#dropSocket();
        this.#leaving ? this.#finish() : this.#setState("waiting", reason);
    }

    get #isOffline() {
        return globalThis.navigator?.onLine === false && !loopback.test(this.#options.key);
    }

    #lost(reason, code, text) {
        if (reason === "too-large") this.#rejectLargest();
        const hasWorked = this.#works;
        this.#dropSocket();
        if (this.#leaving) return this.#finish();
        // The broker means it: coming back would change nothing.
        if (code >= 4000) return this.#finish(text || sessionEnded, undefined, code);
        if (!hasWorked && ++this.#failures && (this.transport !== this.#winner || this.#failures >= patience)) {
            this.#winner = undefined;
            this.#index = (this.#index + 1) % this.#transports.length;
            // Each is tried once, then all wait.
            if (this.#failures % this.#transports.length) return this.#open();
        }
        if (this.#isOffline) return this.#pause("offline");
        const { interval } = this.#advice;
        // Not every transport can be closed with a code.
        if (interval > this.#usual) reason = "restart";
        this.#advice.interval = this.#usual;
        this.#setState("waiting", reason, code);
        const least = reason === "restart" ? interval : 0;
        this.#later("next", () => this.#open(), Math.max(least, this.#backoff()));
    }

    /** Full jitter, so that all clients of a broker come back spread. */
    #backoff() {
        return Math.random() * Math.min(longestRetry, firstRetry * 2 ** this.#attempts++);
    }

    /** Give a socket up on which an answer is overdue. */
    #checkAnswers() {
        if (this.#isHidden) this.#tickWhileHidden();
        const now = performance.now();
        const [first] = this.#requests.values();
        const due = first?.socket === this.#socket && Math.max(first.sentAt, this.#lastReceived) + this.#patience;
        if ((due && now > due) || now > this.#meta?.due) return this.#lost("timeout");
        const last = this.#lastWatch;
        this.#lastWatch = Date.now();
        if (Date.now() - last > 10 * watchInterval) this.#check();
    }

    get #patience() {
        return this.#options.timeout ?? answerTimeout;
    }

    #later(name, step, delay) {
        this.#cancel(name);
        const run = () => {
            this.#cancel(name);
            step();
        };
        this.#timers[name] = { run, due: performance.now() + delay, timer: setTimeout(run, delay) };
    }

    #cancel(...names) {
        for (const name of names) {
            clearTimeout(this.#timers[name]?.timer);
            delete this.#timers[name];
        }
    }

    get #isHidden() {
        return globalThis.document?.visibilityState === "hidden";
    }

    /** A hidden page's timers are late; a Worker's are not. A failed load is tried again. */
    #tickWhileHidden() {
        const check = () => this.#socket && this.#checkAnswers();
        this.#ticker ??= load("ticker").then(({ tick }) => tick(this.#timers, check))
            .catch(() => (this.#ticker = undefined));
    }

    /** Connect now, or see whether the connection still lives. */
    #check() {
        if (this.state === "waiting" && !this.#socket) this.#open();
        else if (this.state === "connected" && !this.#leaving) {
            this.#cancel("next");
            this.#connect(0);
            this.#meta.due = performance.now() + openTimeout;
        }
    }

    /** The page goes: for good, or `isKept` to be shown again, which browsers do only without sockets. */
    #hide(isKept) {
        this.#kept.save?.();
        if (isKept || this.#options.resume) this.#pause("hidden");
        else if (this.clientId && !this.#options.stays?.()) {
            this.#send({ channel: "/meta/disconnect", clientId: this.clientId, id: this.#newId() });
        }
    }

    /** Never send again what the broker closes sockets over. */
    #rejectLargest() {
        const sent = [...this.#requests.values()].filter(({ socket, data }) => socket === this.#socket && data);
        const [largest] = sent.sort((a, b) => b.data.length - a.data.length);
        this.#requests.delete(largest?.id);
        largest?.answer.reject(new FanfareError("The message is larger than the broker allows.", "too-large"));
    }

    /** `cause`: what the broker did, if the page is not leaving by itself. */
    #finish(cause, why, code) {
        if (this.state === "closed") return;
        const error = this.#leaving ? undefined : cause;
        this.#dropSocket();
        this.#kept.forget?.();
        this.#cancel("renewal");
        this.#ticker?.then((stop) => stop?.());
        this.#listen("removeEventListener");
        this.#place.clientId = undefined;
        const reason = error ? new FanfareError(error, why) : sessionClosed();
        for (const subscriber of this.#subscribers) if (subscriber.confirmed) end(subscriber, error && reason);
        this.#subscribers.clear();
        for (const { fields, answer } of this.#requests.values()) {
            fields.channel === "/meta/unsubscribe" ? answer.resolve() : answer.reject(reason);
        }
        this.#requests.clear();
        this.#setState("closed", error ? (why ?? "refused") : "disconnect", code ?? reason.code, error);
        this.#leaving?.resolve();
    }

    #handshake() {
        if (typeof this.#options.token === "function" && !this.#kept.token) {
            return this.#fetchToken(() => this.#handshake());
        }
        const fields = { channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: [this.transport] };
        const token = this.#kept.token ?? this.#options.token;
        this.#kept.isTokenNew = false;
        // A response that is lost takes messages along, unless they are acknowledged.
        const ack = this.transport === "long-polling";
        const ext = { ...this.#options.ext, ...(token && { token }), ...(ack && { ack }) };
        if (Object.keys(ext).length) fields.ext = ext;
        this.#sendMeta(fields, this.#patience);
    }

    /** On a new socket it is not held (`timeout` 0), to hear that all is well. */
    #connect(timeout) {
        const fields = { channel: "/meta/connect", clientId: this.clientId, connectionType: this.transport };
        const held = timeout ?? Math.min(this.#advice.timeout, this.#options.heartbeat ?? heartbeat);
        fields.advice = { timeout: held };
        const token = this.#kept.isTokenNew ? this.#kept.token : undefined;
        const { ack = this.transport === "long-polling" ? -1 : undefined } = this.#place;
        if (token || ack) fields.ext = { ack, token };
        this.#kept.isTokenNew = false;
        this.#sendMeta(fields, held + this.#patience);
    }

    #fetchToken(next) {
        const socket = this.#socket;
        if (this.#meta) this.#meta.due = Infinity;
        const current = (step) => () => socket === this.#socket && step();
        load("token").then(({ fetchToken }) => fetchToken(this.#options.token, this.#kept))
            .then(current(next), current(() => this.#lost("network")));
    }

    #receiveHandshake(reply) {
        if (!reply.successful) return this.#refused(reply);
        this.#isNew = true;
        this.#place.clientId = reply.clientId;
        this.#place.ack = reply.ext?.ack && -1;
        this.#advice = { ...defaultAdvice, ...reply.advice };
        this.#connect(0);
        // Subscriptions first, before what waits to be published.
        const waiting = [...this.#requests.values()];
        this.#requests.clear();
        for (const subscriber of this.#subscribers) this.#requestSubscription(subscriber);
        for (const request of waiting) {
            if (request.fields.channel === "/meta/unsubscribe") request.answer.resolve();
            else if (request.fields.channel !== "/meta/subscribe") this.#requests.set(request.id, request);
        }
        this.#flush();
    }

    #receiveConnect(reply) {
        if (!reply.successful) return this.#refused(reply);
        this.#place.ack = reply.ext?.ack ?? this.#place.ack;
        this.#advice = { ...this.#advice, reconnect: "retry", ...reply.advice };
        if (this.#advice.reconnect === "none") return this.#finish(sessionEnded);
        if (this.#leaving) return;
        this.#works = true;
        const { interval } = this.#advice;
        if (this.state !== "connected") {
            this.#usual = interval;
            this.#refusals = 0;
            this.#later("stable", () => (this.#attempts = 0), stableAfter);
            this.#remember();
            this.#setState("connected");
            this.#flush();
        }
        const wait = Math.min(interval, this.#options.heartbeat ?? heartbeat);
        wait ? this.#later("next", () => this.#connect(), wait) : this.#connect();
    }

    /** A handshake or connect failed: do as advised, and never in a tight loop. */
    #refused(reply) {
        let { reconnect = "handshake", interval = 0 } = reply.advice ?? {};
        // Its token may have expired.
        if (reconnect === "none" && typeof this.#options.token === "function" && this.#refusals++ < patience) {
            this.#kept.token = undefined;
            reconnect = "handshake";
        }
        if (reconnect === "none") return this.#finish(reply.error ?? sessionEnded);
        if (reconnect === "handshake") this.#place.clientId = undefined;
        this.#cancel("stable");
        const { code } = new FanfareError(reply.error);
        this.#setState("waiting", this.clientId ? "refused" : "session", code, reply.error);
        this.#later("next", () => {
            this.#setState("connecting");
            this.clientId ? this.#connect(0) : this.#handshake();
        }, Math.max(interval, this.#backoff()));
    }

    #recall() {
        try {
            const [name, until] = localStorage[this.#options.key].split(" ");
            const index = this.#transports.indexOf(name);
            if (until > Date.now() && index >= 0) [this.#winner, this.#index] = [name, index];
        } catch {}
    }

    /** A transport that is fallen back to remembers itself. */
    #remember() {
        this.#winner = this.transport;
        this.#failures = 0;
        try {
            if (!this.#index) delete localStorage[this.#options.key];
        } catch {}
    }

    #requestSubscription(subscriber) {
        const { pattern, confirmed, seen, from, replay } = subscriber;
        const number = (confirmed && (Math.max(0, ...seen.values()) || from)) || replay;
        const fields = { channel: "/meta/subscribe", subscription: pattern };
        if (number !== undefined) fields.ext = { replay: { [pattern]: number } };
        subscriber.active = false;
        // At once, for messages may follow in the same frame.
        const agreed = () => {
            subscriber.active = subscriber.confirmed = true;
            subscriber.from ??= this.#place.seq;
            subscriber.subscribed.resolve();
        };
        this.#request(fields, undefined, undefined, agreed).catch((error) => this.#drop(subscriber, error));
    }

    #takeAway({ subscription, error }) {
        for (const subscriber of this.#subscribers) {
            if (subscriber.active && subscriber.pattern === subscription) this.#drop(subscriber, new FanfareError(error));
        }
    }

    #drop(subscriber, error) {
        end(subscriber, error);
        if (this.#subscribers.delete(subscriber) && subscriber.confirmed) this.#tell("error", error);
    }

    async #unsubscribe(subscriber) {
        end(subscriber);
        const { pattern } = subscriber;
        if (!this.#subscribers.delete(subscriber) || this.#leaving) return;
        if ([...this.#subscribers].some((other) => other.pattern === pattern)) return;
        await this.#request({ channel: "/meta/unsubscribe", subscription: pattern });
    }

    async *#iterate(subscriber) {
        try {
            await subscriber.subscribed.promise;
            for (;;) {
                while (subscriber.backlog.length) yield subscriber.backlog.shift();
                if (subscriber.error) throw subscriber.error;
                if (subscriber.ended) return;
                await new Promise((resolve) => (subscriber.wake = resolve));
            }
        } finally {
            this.#unsubscribe(subscriber).catch(() => {});
        }
    }

    async #request(fields, data, id = this.#newId(), agreed) {
        if (this.state === "closed" || this.#leaving) throw sessionClosed();
        if (this.#requests.size >= (this.#options.queueLimit ?? 10_000)) {
            throw new FanfareError("Too many requests are waiting for the broker's answer.", "full");
        }
        const waiting = this.#requests.get(id);
        if (waiting) return waiting.answer.promise;
        const request = { id, fields, data, agreed, answer: deferred(), sentAt: 0 };
        this.#requests.set(id, request);
        if (this.state === "connected") this.#flush();
        return request.answer.promise;
    }

    /** Send what this socket has not carried yet. */
    #flush() {
        for (const request of this.#requests.values()) {
            if (request.socket === this.#socket) continue;
            request.socket = this.#socket;
            request.sentAt = performance.now();
            this.#send({ ...request.fields, id: request.id, clientId: this.clientId }, request.data);
        }
    }

    #sendMeta(fields, patience) {
        const id = this.#newId();
        this.#meta = { id, due: performance.now() + patience };
        this.#send({ ...fields, id });
    }

    #send(fields, data) {
        const text = JSON.stringify(fields);
        const message = data === undefined ? text : `${text.slice(0, -1)},"data":${data}}`;
        if (this.#opened) this.#socket.send(`[${message}]`);
    }

    #receive(text) {
        this.#lastReceived = performance.now();
        const socket = this.#socket;
        for (const message of [JSON.parse(text)].flat()) {
            if (socket !== this.#socket) return;
            if (message.channel === "/meta/disconnect") this.#finish(sessionEnded);
            else if (this.#meta && message.id === this.#meta.id) this.#receiveMeta(message);
            else if (message.channel === "/meta/connect" && !message.id) this.#receiveConnect(message);
            else if (message.id && "successful" in message) this.#receiveReply(message);
            else this.deliver(message);
        }
    }

    #receiveMeta(reply) {
        this.#meta = undefined;
        if (reply.channel === "/meta/handshake") this.#receiveHandshake(reply);
        else this.#receiveConnect(reply);
    }

    #receiveReply(reply) {
        const request = this.#requests.get(reply.id);
        if (!request || request.fields.channel !== reply.channel) return;
        const error = new FanfareError(reply.error ?? "The broker refused without a reason.");
        // The session is gone; the handshake that follows asks again.
        if (error.code === 401 && reply.channel.startsWith("/meta/") && !reply.successful) return;
        this.#requests.delete(reply.id);
        if (!reply.successful) return request.answer.reject(error);
        request.agreed?.();
        request.answer.resolve(reply);
    }

    #newId() {
        return this.#ids + (++this.#lastId).toString(36);
    }

    #listen(change) {
        for (const [name, listener] of Object.entries(this.#listeners)) globalThis[change]?.(name, listener, true);
    }

    #tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    #setState(state, reason, code, error) {
        const old = this.state;
        if (state === old && reason === this.#reason && !error) return;
        this.state = state;
        this.#reason = reason;
        const detail = { old, state, code: code ?? reasons.indexOf(reason), reason, error };
        if (state === "connected") {
            detail.recovered = !this.#isNew;
            this.#isNew = false;
        }
        this.#tell("state", detail);
    }
}

function openWebSocket(endpoint, events) {
    const socket = new WebSocket(endpoint.href.replace("http", "ws"));
    socket.onopen = events.open;
    socket.onmessage = (event) => events.receive(event.data);
    socket.onclose = ({ code, reason }) => events.close(code, reason);
    return { send: (text) => socket.send(text), close: () => socket.close() };
}

function openLater(name, events, open) {
    let socket;
    let isClosed = false;
    load(name).then((loaded) => isClosed || (socket = open(loaded))).catch(() => events.close());
    return {
        send: (text) => socket.send(text),
        close() {
            isClosed = true;
            socket?.close();
        },
    };
}

/** By channel: replays of others may bring newer ones first. */
function isNews({ seen, from }, channel, seq, retained) {
    if (seq <= (seen.get(channel) ?? (retained ? 0 : from))) return false;
    seen.delete(channel);
    seen.set(channel, seq);
    if (seen.size > seenCount) seen.delete(seen.keys().next().value);
    return true;
}

/** A callback's fault is its own. */
function hand(subscriber, message) {
    const { callback, backlog, buffer } = subscriber;
    if (callback) {
        try {
            callback(message.data, message);
        } catch (error) {
            (globalThis.reportError ?? console.error)(error);
        }
    } else if (backlog.length < buffer) {
        backlog.push(message);
        subscriber.wake?.();
    } else end(subscriber, new FanfareError("The iteration fell behind; messages were lost.", "slow"));
}

function end(subscriber, error) {
    subscriber.ended = true;
    subscriber.error ??= error;
    subscriber.active = false;
    error ? subscriber.subscribed.reject(error) : subscriber.subscribed.resolve();
    subscriber.wake?.();
}

function deferred() {
    const result = {};
    result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
    return result;
}

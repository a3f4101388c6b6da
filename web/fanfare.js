/**
 * Fanfare's browser client: publish and subscribe over a connection that mends itself. It speaks Bayeux 1.0.
 * What can be called stands in fanfare.d.ts; the session's rules, in docs/browser.md.
 */

const defaultAdvice = { reconnect: "retry", interval: 0, timeout: 60_000 };
/** Milliseconds for the broker's answer, and for a socket to open: less, if other transports are left. */
const answerTimeout = 10_000;
const openTimeout = 5_000;
const openTimeoutBeforeOthers = 2_500;
/** A connection that has lasted so long is good. */
const stableAfter = 10_000;
const firstRetry = 500;
const longestRetry = 20_000;
const watchInterval = 1_000;
/** How long a subscription from before a reload waits to be claimed. */
const claimTimeout = 10_000;
/** How long a transport that was fallen back to is preferred. */
const memory = 24 * 3600_000;
/** So often a transport that has worked is tried first. */
const patience = 3;
const closeReasons = { 1009: "too-large", 1012: "restart" };
const loopback = /\/\/(localhost|127\.|\[::1)/;
const sessionEnded = "The broker ended the session.";

/** What the broker refused, or why a request came to nothing; `code` is Bayeux's number (401, 403, …), if any. */
export class FanfareError extends Error {
    constructor(text) {
        super(text);
        this.name = "FanfareError";
        const code = /^(\d{3}):/.exec(text);
        this.code = code ? Number(code[1]) : undefined;
    }
}

/** Connect to a broker: `connect(options)`, or `connect(url, options)`. Returns at once. */
export function connect(url = "/bayeux", options = {}) {
    if (!url.href && typeof url === "object") [url, options] = [url.url ?? "/bayeux", url];
    const endpoint = new URL(url, globalThis.location?.href);
    endpoint.protocol = endpoint.protocol.replace("ws", "http");
    let loads = 0;
    // After a failure by another name, for browsers remember it.
    const load = (name, events, open) => {
        const module = import(`./fanfare-${name}.js${loads ? `?${loads}` : ""}`);
        module.catch(() => loads++);
        return openLater(module, events, open);
    };
    const all = { ...options, key: `fanfare:${endpoint}`, transports: options.transports ?? transports };
    if (options.share && globalThis.navigator?.locks && globalThis.BroadcastChannel) {
        const open = (events) => load("tabs", events, (tabs) => tabs.open(endpoint, options, events));
        const key = `fanfare:shared:${endpoint}`;
        return new Fanfare(open, { ...all, key, transports: ["shared"], token: undefined, ext: undefined });
    }
    return new Fanfare((events, transport) => {
        if (transport === "websocket") return openWebSocket(endpoint, events);
        return load("fallback", events, (fallback) => fallback.open(transport, endpoint, events));
    }, all);
}

/** In the order in which they are tried. */
const transports = ["websocket", "eventsource", "long-polling"];

/** Whether a subscription's pattern takes in a channel: `/a/*` one more segment, `/a/**` one or more. */
export function matches(pattern, channel) {
    if (pattern.endsWith("/**")) return channel.startsWith(pattern.slice(0, -2));
    if (!pattern.endsWith("/*")) return pattern === channel;
    const parent = pattern.slice(0, -1);
    return channel.startsWith(parent) && !channel.includes("/", parent.length);
}

/** A session with a broker. Events: `state`, `gap`, `error`. */
export class Fanfare extends EventTarget {
    state = "connecting";
    clientId;
    transport;
    /** What is wanted: a set of { pattern, callback, backlog, last, active, … }. */
    #subscribers = new Set();
    /** By id, in the order they were made: { fields, data, answer, socket, sentAt }. */
    #requests = new Map();
    #socket;
    #opened = false;
    #works = false;
    #advice = defaultAdvice;
    /** The handshake or connect under way: { id, due }. */
    #meta;
    /** While the broker is being told good-bye. */
    #leaving;
    #attempts = 0;
    /** Transports that failed since one last worked, and the one that did. */
    #failures = 0;
    #winner;
    #index = 0;
    #lastId = 0;
    #lastReceived = 0;
    #lastWatch = 0;
    /** The newest sequence number, and the log that it belongs to. */
    #seq = 0;
    #epoch;
    #token;
    /** What is acknowledged, if anything is. */
    #ack;
    #isTokenNew = false;
    /** Timers: the next step when it has to wait; when the connection is stable; the token's renewal. */
    #next;
    #stable;
    #renewal;
    #watch;
    #openSocket;
    #options;
    #transports;
    #listeners = {
        online: () => this.#check(),
        visibilitychange: () => document.visibilityState === "visible" && this.#check(),
        pagehide: ({ persisted }) => this.#hide(persisted),
        pageshow: ({ persisted }) => persisted && this.#check(),
    };

    constructor(openSocket, options = {}) {
        super();
        this.#openSocket = openSocket;
        this.#options = options;
        this.#transports = options.transports ?? ["websocket"];
        const [name, until] = this.#recall("localStorage", options.key) ?? [];
        if (until > Date.now() && this.#transports.includes(name)) {
            this.#winner = name;
            this.#index = this.#transports.indexOf(name);
        }
        this.clientId = options.clientId;
        if (options.resume) this.#restore();
        this.#listen("addEventListener");
        this.#open();
    }

    /** Subscribe with a callback, or without one to iterate. */
    subscribe(pattern, callback, options) {
        if (typeof callback !== "function") [callback, options] = [undefined, callback];
        const { since, replay = since === "start" ? -2 : since, retained = true, buffer = 10_000 } = options ?? {};
        let subscriber = [...this.#subscribers].find((other) => other.orphan && other.pattern === pattern);
        const isNew = !subscriber;
        subscriber ??= { pattern, replay, backlog: [], last: Math.max(replay ?? 0, 0), subscribed: deferred() };
        Object.assign(subscriber, { callback, retained, buffer, orphan: false });
        const closed = this.#closed();
        if (closed) subscriber.subscribed.reject(closed);
        else if (isNew) {
            this.#subscribers.add(subscriber);
            this.#requestSubscription(subscriber);
        } else if (callback) {
            queueMicrotask(() => {
                for (const message of subscriber.backlog.splice(0)) hand(subscriber, message);
            });
        }
        const subscribed = subscriber.subscribed.promise;
        const subscription = {
            pattern,
            unsubscribe: () => this.#unsubscribe(subscriber),
            [Symbol.asyncIterator]: () => this.#iterate(subscriber, subscribed),
        };
        return Object.assign(subscribed.then(() => subscription), subscription);
    }

    /** Publish to a channel. The data is copied now; what becomes of the object later does not matter. */
    async publish(channel, data, { ext, retain, ttl, noEcho, id } = {}) {
        const closed = this.#closed();
        if (closed) throw closed;
        const text = JSON.stringify(data);
        if (text === undefined) throw new TypeError("What is published must have a JSON form.");
        const all = { ...ext, ...(retain && { retain }), ...(ttl && { ttl }), ...(noEcho && { noEcho }) };
        return this.#request(Object.keys(all).length ? { channel, ext: all } : { channel }, text, id);
    }

    /** End the session. What was sent before is still answered; what is unanswered then is rejected. */
    async disconnect() {
        if (this.state === "closed") return;
        if (!this.clientId || this.state !== "connected") return this.#finish();
        if (!this.#leaving) {
            this.#leaving = deferred();
            this.#send({ channel: "/meta/disconnect", clientId: this.clientId, id: this.#newId() });
            clearTimeout(this.#next);
            this.#next = setTimeout(() => this.#finish(), answerTimeout);
        }
        return this.#leaving.promise;
    }

    /** Every delivered message passes here; the sharing of tabs hands them on. */
    deliver(message) {
        const { seq, epoch, gap, retained } = message.ext ?? {};
        if (gap) this.#tell("gap", { channel: message.channel, ...gap });
        if (!("data" in message)) return;
        if (epoch && epoch !== this.#epoch) {
            if (this.#epoch) {
                // The log began anew: its numbers are lower, and what was between is not known.
                for (const subscriber of this.#subscribers) subscriber.last = 0;
                this.#tell("gap", { channel: message.channel, isReset: true });
                this.#seq = 0;
            }
            this.#epoch = epoch;
        }
        this.#seq = Math.max(this.#seq, seq ?? 0);
        for (const subscriber of this.#subscribers) {
            if (!subscriber.active || !matches(subscriber.pattern, message.channel)) continue;
            if (seq <= subscriber.last) continue;
            if (seq) subscriber.last = seq;
            if (!retained || subscriber.retained) hand(subscriber, message);
        }
    }

    // The socket's life

    #open() {
        clearTimeout(this.#next);
        this.#setState("connecting");
        this.transport = this.#transports[this.#index];
        const current = (step) => (value) => socket === this.#socket && step(value);
        const socket = this.#openSocket({
            open: current(() => {
                this.#opened = true;
                this.clientId ? this.#connect(0) : this.#handshake();
            }),
            receive: current((text) => this.#receive(text)),
            close: current((code) => this.#lost(closeReasons[code] ?? "network")),
            // A better transport has become possible.
            upgrade: current(() => {
                this.#index = 0;
                this.#winner = undefined;
                this.#lost("upgrade");
            }),
        }, this.transport);
        this.#socket = socket;
        const hasOthers = this.#transports.length > 1 && this.transport !== this.#winner;
        this.#meta = { id: "", due: performance.now() + (hasOthers ? openTimeoutBeforeOthers : openTimeout) };
        this.#lastWatch = Date.now();
        this.#watch = setInterval(() => this.#checkAnswers(), watchInterval);
    }

    #dropSocket() {
        const socket = this.#socket;
        this.#socket = this.#meta = undefined;
        this.#opened = this.#works = false;
        clearInterval(this.#watch);
        clearTimeout(this.#stable);
        clearTimeout(this.#next);
        socket?.close();
    }

    #lost(reason) {
        if (reason === "too-large") this.#rejectLargest();
        const hasWorked = this.#works;
        this.#dropSocket();
        if (this.#leaving) return this.#finish();
        if (!hasWorked && ++this.#failures && (this.transport !== this.#winner || this.#failures >= patience)) {
            this.#winner = undefined;
            this.#index = (this.#index + 1) % this.#transports.length;
            // Each is tried once, then all wait.
            if (this.#failures % this.#transports.length) return this.#open();
        }
        const isOffline = globalThis.navigator?.onLine === false && !loopback.test(this.#options.key);
        this.#setState("waiting", isOffline ? "offline" : reason);
        // Each client has a moment of its own.
        const least = reason === "restart" ? this.#advice.interval : 0;
        if (!isOffline) this.#next = setTimeout(() => this.#open(), Math.max(least, this.#backoff()));
    }

    /** Full jitter: a random part of a bound that doubles, so that all clients of a broker come back spread. */
    #backoff() {
        return Math.random() * Math.min(longestRetry, firstRetry * 2 ** this.#attempts++);
    }

    /** Give a socket up on which an answer is overdue. */
    #checkAnswers() {
        const now = performance.now();
        const quietSince = (request) => Math.max(request.sentAt, this.#lastReceived);
        const overdue = [...this.#requests.values()].some(
            (request) => request.socket === this.#socket && now > quietSince(request) + answerTimeout,
        );
        if (overdue || (this.#meta && now > this.#meta.due)) return this.#lost("timeout");
        const slept = Date.now() - this.#lastWatch > 10 * watchInterval;
        this.#lastWatch = Date.now();
        if (slept) this.#check();
    }

    /** The page is back, or the network: connect now, or see whether the connection still lives. */
    #check() {
        if (this.state === "waiting" && !this.#socket) this.#open();
        else if (this.state === "connected" && !this.#leaving) {
            clearTimeout(this.#next);
            this.#connect(0);
            this.#meta.due = performance.now() + openTimeout;
        }
    }

    /** The page goes away: for good, or `isKept` to be shown again, which browsers do only without sockets. */
    #hide(isKept) {
        if (this.#options.resume) this.#save();
        if (isKept || this.#options.resume) {
            this.#dropSocket();
            this.#setState("waiting", "hidden");
        } else if (this.clientId && !this.#options.stays?.()) {
            this.#send({ channel: "/meta/disconnect", clientId: this.clientId, id: this.#newId() });
        }
    }

    /** The broker closes a socket over a message beyond its limit: never send that one again. */
    #rejectLargest() {
        const sent = [...this.#requests].filter(([, { socket, data }]) => socket === this.#socket && data);
        const largest = sent.sort(([, a], [, b]) => b.data.length - a.data.length)[0];
        if (!largest) return;
        this.#requests.delete(largest[0]);
        largest[1].answer.reject(new FanfareError("The message is larger than the broker allows."));
    }

    /** `cause`: what the broker did, or nothing when the page itself is leaving. */
    #finish(cause) {
        if (this.state === "closed") return;
        const error = this.#leaving ? undefined : cause;
        this.#dropSocket();
        clearTimeout(this.#renewal);
        this.#listen("removeEventListener");
        this.clientId = undefined;
        const reason = new FanfareError(error ?? "The session was ended before the broker answered.");
        for (const subscriber of this.#subscribers) if (subscriber.confirmed) end(subscriber, error && reason);
        this.#subscribers.clear();
        for (const { fields, answer } of this.#requests.values()) {
            fields.channel === "/meta/unsubscribe" ? answer.resolve() : answer.reject(reason);
        }
        this.#requests.clear();
        this.#setState("closed", error ? "refused" : "disconnect", error);
        this.#leaving?.resolve();
    }

    // The session's life

    #handshake() {
        if (typeof this.#options.token === "function" && !this.#token) return this.#fetchToken(() => this.#handshake());
        const fields = { channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: [this.transport] };
        const token = this.#token ?? this.#options.token;
        this.#isTokenNew = false;
        // A response that is lost takes messages along, unless they are acknowledged.
        const ack = this.transport === "long-polling";
        const ext = { ...this.#options.ext, ...(token && { token }), ...(ack && { ack }) };
        this.#sendMeta(Object.keys(ext).length ? { ...fields, ext } : fields, answerTimeout);
    }

    /** `timeout`: how long the broker may hold it; 0 on a new socket, to hear that all is well. */
    #connect(timeout) {
        const fields = { channel: "/meta/connect", clientId: this.clientId, connectionType: this.transport };
        const held = timeout ?? this.#advice.timeout;
        if (timeout !== undefined) fields.advice = { timeout };
        const token = this.#isTokenNew ? this.#token : undefined;
        if (token || this.#ack) fields.ext = { ack: this.#ack, token };
        this.#isTokenNew = false;
        this.#sendMeta(fields, held + answerTimeout);
    }

    /** Ask the page for a token, then go on, and again before it expires. */
    async #fetchToken(next) {
        const socket = this.#socket;
        if (this.#meta) this.#meta.due = Infinity;
        const failed = (error) => {
            this.#tell("error", error);
            return this.state !== "closed";
        };
        const renewed = () => {
            this.#isTokenNew = true;
            this.#check();
        };
        try {
            const { fetchToken, scheduleRenewal } = await import("./fanfare-token.js");
            this.#token = await fetchToken(this.#options.token, failed);
            clearTimeout(this.#renewal);
            this.#renewal = scheduleRenewal(this.#token, () => this.#fetchToken(renewed));
            if (socket === this.#socket) next();
        } catch (error) {
            error?.name === "UnauthorizedError" ? this.#finish(error.message) : this.#lost("network");
        }
    }

    #receiveHandshake(reply) {
        if (!reply.successful) return this.#refused(reply);
        this.clientId = reply.clientId;
        this.#ack = reply.ext?.ack && -1;
        this.#advice = { ...defaultAdvice, ...reply.advice };
        this.#connect(0);
        // The new session starts without subscriptions: ask for all of them, before what waits to be published.
        const waiting = [...this.#requests];
        this.#requests.clear();
        for (const subscriber of this.#subscribers) this.#requestSubscription(subscriber);
        for (const [id, request] of waiting) {
            if (request.fields.channel === "/meta/unsubscribe") request.answer.resolve();
            else if (request.fields.channel !== "/meta/subscribe") this.#requests.set(id, request);
        }
        this.#flush();
    }

    #receiveConnect(reply) {
        if (!reply.successful) return this.#refused(reply);
        this.#ack = reply.ext?.ack ?? this.#ack;
        this.#advice = { ...this.#advice, reconnect: "retry", ...reply.advice };
        if (this.#advice.reconnect === "none") return this.#finish(sessionEnded);
        if (this.#leaving) return;
        this.#works = true;
        if (this.state !== "connected") {
            this.#stable = setTimeout(() => (this.#attempts = 0), stableAfter);
            this.#remember();
            this.#setState("connected");
            this.#flush();
        }
        clearTimeout(this.#next);
        this.#next = setTimeout(() => this.#connect(), this.#advice.interval);
    }

    /** A handshake or connect failed: do as advised, and never in a tight loop. */
    #refused(reply) {
        let { reconnect = "handshake", interval = 0 } = reply.advice ?? {};
        // Perhaps the token has expired.
        if (reconnect === "none" && typeof this.#options.token === "function" && this.#attempts < patience) {
            this.#token = undefined;
            reconnect = "handshake";
        }
        if (reconnect === "none") return this.#finish(reply.error ?? "The broker refused the session.");
        if (reconnect === "handshake") this.clientId = undefined;
        clearTimeout(this.#stable);
        clearTimeout(this.#next);
        this.#setState("waiting", this.clientId ? "refused" : "session", reply.error);
        this.#next = setTimeout(
            () => {
                this.#setState("connecting");
                this.clientId ? this.#connect(0) : this.#handshake();
            },
            Math.max(interval, this.#backoff()),
        );
    }

    // Over a reload, and a choice for the next page

    #recall(storage, key) {
        try {
            return JSON.parse(globalThis[storage].getItem(key));
        } catch {}
    }

    #remember() {
        const isNew = this.#winner !== this.transport;
        this.#winner = this.transport;
        this.#failures = 0;
        const key = this.#options.key;
        try {
            if (this.#index === 0) localStorage.removeItem(key);
            else if (isNew) localStorage.setItem(key, JSON.stringify([this.transport, Date.now() + memory]));
        } catch {}
    }

    get #sessionKey() {
        const { key, resume } = this.#options;
        return `${key}:${resume === true ? location.pathname : resume}`;
    }

    #save() {
        const { clientId } = this;
        const requests = [...this.#requests].flatMap(([id, { fields, data }]) => (data ? [[id, fields, data]] : []));
        const subscribers = [...this.#subscribers].filter(({ confirmed }) => confirmed)
            .map(({ pattern, last, from }) => ({ pattern, last, from }));
        const [lastId, seq, epoch, ack] = [this.#lastId, this.#seq, this.#epoch, this.#ack];
        const saved = { clientId, requests, subscribers, lastId, seq, epoch, ack };
        try {
            if (clientId) sessionStorage.setItem(this.#sessionKey, JSON.stringify(saved));
        } catch {}
    }

    /** Taken out at once, so that a copy of the tab does not claim the same session. */
    #restore() {
        const saved = this.#recall("sessionStorage", this.#sessionKey);
        if (!saved) return;
        sessionStorage.removeItem(this.#sessionKey);
        this.clientId = saved.clientId;
        [this.#lastId, this.#seq, this.#epoch, this.#ack] = [saved.lastId, saved.seq, saved.epoch, saved.ack];
        const known = { active: true, confirmed: true, retained: true, orphan: true };
        for (const subscriber of saved.subscribers) {
            const subscribed = deferred();
            subscribed.resolve();
            this.#subscribers.add({ ...subscriber, ...known, subscribed, backlog: [] });
        }
        for (const [id, fields, data] of saved.requests) {
            const answer = deferred();
            answer.promise.catch((error) => this.#tell("error", error));
            this.#requests.set(id, { fields, data, answer, sentAt: 0 });
        }
        setTimeout(() => {
            for (const subscriber of this.#subscribers) if (subscriber.orphan) this.#unsubscribe(subscriber);
        }, claimTimeout);
    }

    // Requests and deliveries

    #requestSubscription(subscriber) {
        const { pattern, confirmed, last, from, replay } = subscriber;
        const number = (confirmed && (last || from)) || replay;
        const fields = { channel: "/meta/subscribe", subscription: pattern };
        if (number !== undefined) fields.ext = { replay: { [pattern]: number } };
        subscriber.active = false;
        // At once, for messages may follow in the same frame.
        const agreed = () => {
            subscriber.active = subscriber.confirmed = true;
            subscriber.from ??= this.#seq;
            subscriber.subscribed.resolve();
        };
        this.#request(fields, undefined, undefined, agreed).catch((error) => {
            end(subscriber, error);
            if (this.#subscribers.delete(subscriber) && subscriber.confirmed) this.#tell("error", error);
        });
    }

    async #unsubscribe(subscriber) {
        end(subscriber);
        const { pattern } = subscriber;
        if (!this.#subscribers.delete(subscriber)) return;
        if ([...this.#subscribers].some((other) => other.pattern === pattern)) return;
        await this.#request({ channel: "/meta/unsubscribe", subscription: pattern });
    }

    async *#iterate(subscriber, subscribed) {
        try {
            await subscribed;
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

    #request(fields, data, id = this.#newId(), agreed) {
        if (this.#requests.size >= (this.#options.queueLimit ?? 10_000)) {
            return Promise.reject(new FanfareError("Too many requests are waiting for the broker's answer."));
        }
        const request = { fields, data, agreed, answer: deferred(), sentAt: 0 };
        this.#requests.set(id, request);
        if (this.state === "connected") this.#flush();
        return request.answer.promise;
    }

    /** Send every request that this socket has not carried yet. */
    #flush() {
        for (const [id, request] of this.#requests) {
            if (request.socket === this.#socket) continue;
            request.socket = this.#socket;
            request.sentAt = performance.now();
            this.#send({ ...request.fields, id, clientId: this.clientId }, request.data);
        }
    }

    /** `patience`: milliseconds until the answer is overdue. */
    #sendMeta(fields, patience) {
        const id = this.#newId();
        this.#meta = { id, due: performance.now() + patience };
        this.#send({ ...fields, id });
    }

    #send(fields, data) {
        const text = JSON.stringify(fields);
        const message = data === undefined ? text : `${text.slice(0, -1)},"data":${data}}`;
        if (this.#opened) this.#socket?.send(`[${message}]`);
    }

    #receive(text) {
        this.#lastReceived = performance.now();
        const socket = this.#socket;
        for (const message of [JSON.parse(text)].flat()) {
            if (socket !== this.#socket) return;
            if (message.channel === "/meta/disconnect") this.#finish(sessionEnded);
            else if (this.#meta && message.id === this.#meta.id) this.#receiveMeta(message);
            else if ("successful" in message) this.#receiveReply(message);
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
        // The session is gone; the handshake that follows, on the advice of the next connect, asks again.
        if (error.code === 401 && reply.channel.startsWith("/meta/") && !reply.successful) return;
        this.#requests.delete(reply.id);
        if (!reply.successful) return request.answer.reject(error);
        request.agreed?.();
        request.answer.resolve(reply);
    }

    #newId() {
        return (++this.#lastId).toString(36);
    }

    #listen(change) {
        for (const [name, listener] of Object.entries(this.#listeners)) globalThis[change]?.(name, listener, true);
    }

    #closed() {
        if (this.state === "closed" || this.#leaving) return new FanfareError("The session is closed.");
    }

    #tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    #setState(state, reason, error) {
        if (state === this.state && !error) return;
        this.state = state;
        this.#tell("state", { state, reason, error });
    }
}

/** The transport: text out, text in, one close. */
function openWebSocket(endpoint, events) {
    const url = new URL(endpoint);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.onopen = events.open;
    socket.onmessage = (event) => events.receive(event.data);
    socket.onclose = (event) => events.close(event.code);
    return { send: (text) => socket.send(text), close: () => socket.close() };
}

/** A transport whose module has to be loaded first. */
function openLater(module, events, open) {
    let socket;
    let isClosed = false;
    module.then((loaded) => isClosed || (socket = open(loaded))).catch(() => events.close());
    return {
        send: (text) => socket.send(text),
        close() {
            isClosed = true;
            socket?.close();
        },
    };
}

/** A fault in one callback is reported and does not keep a message from the others. */
function hand(subscriber, message) {
    const { callback, backlog, buffer } = subscriber;
    if (callback) {
        try {
            callback(message.data, message);
        } catch (error) {
            (globalThis.reportError ?? console.error)(error);
        }
    } else if (backlog.length < (buffer ?? Infinity)) {
        backlog.push(message);
        subscriber.wake?.();
    } else end(subscriber, new FanfareError("The iteration fell behind; messages were lost."));
}

/** Nothing more comes: an iteration ends, with an error if there is one. */
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

/**
 * One connection for all tabs of a browser. fanfare.js loads this module when it is asked to `share`.
 *
 * One tab holds a lock and with it the hub: a client of the broker, and beside it what looks like a broker to the
 * clients of all tabs, its own too, over a BroadcastChannel. When that tab goes, the lock goes to the next one. Its hub
 * goes on with the session of the old one, so that a publication that is sent again is stored once; the clients find
 * their sessions unknown, shake hands anew and subscribe from where they were, as they do with a broker.
 *
 * A tab is known by the lock that it holds; whoever waits for that lock hears that the tab is gone.
 */
import { connect, matches } from "./fanfare.js";

/** How often a tab makes sure that the hub is there: milliseconds. */
const heartbeat = 20_000;
/** How long the subscriptions of the hub before are kept for the tabs to ask for: milliseconds. */
const claimTimeout = 10_000;
/** How many messages wait for a tab between two of its sockets. */
const waitingCount = 10_000;
const ignore = () => {};
/** What a hub is called that cannot reach the broker. */
const away = "away";
/** What each page keeps for an endpoint: that it stands for election, and what it has heard of the session. */
const elections = new Map();
/** The page's clients, by their own copy of the options: each keeps its name over all of its sockets. */
const clients = new WeakMap();

/** A socket to the hub, wherever that is. */
export function open(transport, endpoint, events, options) {
    const name = `fanfare:${endpoint}`;
    if (!elections.has(name)) elections.set(name, stand(name, endpoint, options));
    if (!clients.has(options)) clients.set(options, register(name));
    return new TabSocket(name, clients.get(options), events);
}

/** A client of this page; its lock is held until the page is gone. */
function register(name) {
    const tab = crypto.randomUUID();
    const isLocked = new Promise((resolve) => {
        navigator.locks.request(`${name}:${tab}`, () => {
            resolve();
            return new Promise(ignore);
        });
    });
    return { tab, isLocked };
}

/** Stand for election; what is returned keeps up with the session of whoever is elected. */
function stand(name, endpoint, options) {
    const known = { clientId: undefined, patterns: [] };
    new BroadcastChannel(name).onmessage = ({ data }) => Object.assign(known, data.session);
    navigator.locks.request(name, () => {
        new Hub(name, endpoint, options, known);
        return new Promise(ignore);
    });
    return known;
}

class TabSocket {
    #tab;
    #channel;
    #hub;
    #isClosed = false;

    constructor(name, { tab, isLocked }, events) {
        this.#tab = tab;
        this.#channel = new BroadcastChannel(name);
        this.#channel.onmessage = ({ data: { to, hub, text } }) => {
            if (to === tab) return events.receive(text);
            if (!hub || hub === this.#hub) return;
            if (this.#hub) return events.close();
            if (hub === away) return;
            this.#hub = hub;
            events.open();
        };
        isLocked.then(() => this.#post({}));
    }

    send(text) {
        this.#post({ text });
    }

    close() {
        this.#post({ isLeaving: true });
        this.#isClosed = true;
        this.#channel.close();
    }

    #post(message) {
        if (!this.#isClosed) this.#channel.postMessage({ from: this.#tab, ...message });
    }
}

class Hub {
    #id = crypto.randomUUID();
    #name;
    #channel;
    #start;
    #upstream;
    /** While it says good-bye, for all tabs have left: what comes then waits. */
    #leaving;
    /** By tab: its client id, by pattern what it is subscribed to, and what waits for its next socket. */
    #tabs = new Map();
    /** The tabs whose locks it waits for. */
    #watched = new Set();
    /** Why the broker does not want us, until another tab comes. */
    #refusal;

    constructor(name, endpoint, options, { clientId, patterns }) {
        this.#name = name;
        this.#channel = new BroadcastChannel(name);
        this.#channel.onmessage = ({ data: { from, text, isLeaving } }) => {
            if (text) this.#receive(from, text);
            else if (isLeaving) this.#hold(this.#tabs.get(from), false);
            else if (from) this.#greet(from);
        };
        this.#start = () => this.#connect(endpoint, options);
        this.#connect(endpoint, { ...options, clientId });
        setTimeout(() => this.#forget(patterns), claimTimeout);
    }

    #connect(endpoint, options) {
        // When this page goes the session stays for the hub that follows.
        const stays = () => this.#tabs.size > 1;
        const upstream = connect(endpoint, { ...options, share: false, resume: false, stays });
        const deliver = upstream.deliver.bind(upstream);
        upstream.deliver = (message) => {
            deliver(message);
            const text = JSON.stringify([message]);
            for (const [tab, { patterns, waiting }] of this.#tabs) {
                const channel = message.subscription ?? message.channel;
                if (![...patterns.keys()].some((pattern) => matches(pattern, channel))) continue;
                if (!waiting) this.#post(tab, text);
                // Too much: it begins anew, from its last numbers.
                else if (waiting.push(text) > waitingCount) this.#leave(tab);
            }
        };
        upstream.addEventListener("state", ({ detail: { state, error } }) => {
            if (upstream !== this.#upstream) return;
            if (state === "closed" && error) {
                // The tabs come again, for their hub has another name, and are told why.
                this.#refusal = error;
                this.#tabs.clear();
                this.#id = crypto.randomUUID();
            }
            this.#announce();
        });
        this.#upstream = upstream;
    }

    /** Tell the tabs whether the broker can be reached by this hub, and which session it has. */
    #announce() {
        const { state, clientId } = this.#upstream;
        const hub = state === "connected" || this.#refusal ? this.#id : away;
        // Every tab will come with another socket, or has come already.
        if (hub === away) for (const tab of this.#tabs.values()) this.#hold(tab, tab.isBack ?? false);
        const patterns = [...this.#tabs.values()].flatMap(({ patterns }) => [...patterns.keys()]);
        this.#channel.postMessage({ hub, ...(clientId && { session: { clientId, patterns } }) });
    }

    /** What comes for a tab that has no socket waits for its next one. */
    #hold(tab, isBack) {
        if (tab) Object.assign(tab, { waiting: tab.waiting ?? [], isBack });
    }

    #release(name) {
        const tab = this.#tabs.get(name);
        if (!tab.isBack) return;
        for (const text of tab.waiting) this.#post(name, text);
        Object.assign(tab, { waiting: undefined, isBack: false });
    }

    /** A tab has come; it is forgotten when it lets go of its lock. */
    async #greet(tab) {
        await this.#leaving;
        const known = this.#tabs.get(tab);
        if (known?.waiting) known.isBack = true;
        // Another one that comes is a reason to ask again.
        if (this.#upstream.state === "closed" && !(this.#refusal && this.#watched.has(tab))) {
            this.#refusal = undefined;
            this.#start();
        }
        if (this.#upstream.state === "connected" || this.#refusal) this.#announce();
        if (this.#watched.has(tab)) return;
        this.#watched.add(tab);
        navigator.locks.request(`${this.#name}:${tab}`, () => {
            this.#watched.delete(tab);
            this.#leave(tab);
        });
    }

    #leave(tab) {
        const patterns = this.#tabs.get(tab)?.patterns;
        if (!patterns) return;
        this.#tabs.delete(tab);
        for (const subscriptions of patterns.values()) this.#end(subscriptions);
        if (this.#tabs.size > 0) return this.#announce();
        this.#leaving = this.#upstream.disconnect().then(() => (this.#leaving = undefined));
    }

    #end(subscriptions = []) {
        for (const subscription of subscriptions) subscription.unsubscribe().catch(ignore);
    }

    /** What the tabs of the hub before were subscribed to, and nobody wants any more. */
    #forget(patterns) {
        const wanted = new Set([...this.#tabs.values()].flatMap(({ patterns }) => [...patterns.keys()]));
        for (const pattern of new Set(patterns)) {
            if (!wanted.has(pattern)) this.#end([this.#upstream.subscribe(pattern, ignore, { replay: -1 })]);
        }
    }

    #post(tab, text) {
        this.#channel.postMessage({ to: tab, text });
    }

    #receive(tab, text) {
        // Whoever came too late comes again, told that the hub is away.
        if (this.#leaving) return;
        for (const message of JSON.parse(text)) {
            const { id, channel, clientId } = message;
            const reply = (fields) => this.#post(tab, JSON.stringify([{ id, channel, successful: true, ...fields }]));
            const refuse = (error) => reply({ successful: false, error: error.message });
            if (channel === "/meta/handshake") this.#handshake(tab, reply);
            else if (this.#tabs.get(tab)?.clientId === clientId) this.#serve(tab, message, reply, refuse);
            else if (channel === "/meta/connect") {
                const advice = { reconnect: "handshake" };
                reply({ successful: false, error: `401:${clientId}:Unknown client`, advice });
            }
            // What else was meant for the hub before comes again.
        }
    }

    #handshake(tab, reply) {
        if (this.#refusal) return reply({ successful: false, error: this.#refusal, advice: { reconnect: "none" } });
        const clientId = `${this.#id}.${tab}`;
        this.#tabs.set(tab, { clientId, patterns: new Map() });
        reply({ clientId });
    }

    #serve(tab, { id, channel, subscription: pattern, data, ext }, reply, refuse) {
        const { patterns } = this.#tabs.get(tab);
        if (channel === "/meta/connect") {
            reply({ advice: { interval: heartbeat, timeout: 0 } });
            this.#release(tab);
        } else if (channel === "/meta/disconnect") {
            reply();
            this.#leave(tab);
        } else if (channel === "/meta/unsubscribe") {
            this.#end(patterns.get(pattern));
            patterns.delete(pattern);
            reply();
        } else if (channel === "/meta/subscribe") {
            const subscription = this.#upstream.subscribe(pattern, ignore, { replay: ext?.replay?.[pattern] });
            subscription.then(() => {
                patterns.set(pattern, [...(patterns.get(pattern) ?? []), subscription]);
                reply();
                this.#announce();
            }, refuse);
        } else {
            // Sent again through another hub it still has the same id.
            this.#upstream.publish(channel, data, { ext, id: `${tab}:${id}` })
                .then((answer) => reply({ ...answer, id }), refuse);
        }
    }
}

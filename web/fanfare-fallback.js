/**
 * Transports for networks that let no WebSocket through: EventSource with POST, and long-polling. fanfare.js loads this
 * module when it needs it. Both look like a socket: text out, text in, one close.
 *
 * What is sent keeps its order, in one request at a time that takes along all that waits; /meta/connect has requests of
 * its own, which may be held. Replies to subscriptions come in other responses than the messages, so messages are held
 * back while one is awaited: as over a WebSocket, the reply comes first.
 */

const batchCount = 100;
const batchLength = 256 << 10;
const messageTooBig = 1009;
const serviceRestart = 1012;
/** Milliseconds for which the next pages try what has worked first. */
const memory = 24 * 3600_000;
/** Milliseconds until the better transport is tried again, in case that only the broker was away. */
const probeAfter = 30_000;

/** Open `transport`, "eventsource" or "long-polling". */
export function open(transport, endpoint, events) {
    return new Fallback(transport, endpoint, events);
}

class Fallback {
    #transport;
    #isRemembered = false;
    #endpoint;
    #events;
    #hasStream;
    #stream;
    /** The session whose stream it is. */
    #streamOf;
    #isClosed = false;
    #isStopping = false;
    /** Messages to send, each the text of an array of one. */
    #waiting = [];
    /** While they are being sent. */
    #sending;
    /** The connects' responses, in the order in which they were asked for. */
    #connects = Promise.resolve();
    /** Subscriptions that are not answered yet, and what came meanwhile. */
    #subscribing = 0;
    #held = [];
    #abort = new AbortController();
    #probe;

    constructor(transport, endpoint, events) {
        this.#transport = transport;
        this.#endpoint = endpoint;
        this.#events = events;
        this.#hasStream = transport === "eventsource";
        queueMicrotask(() => this.#isClosed || events.open());
        this.#probe = setTimeout(() => this.#tryWebSocket(), probeAfter);
    }

    send(text) {
        const [{ channel, clientId }] = JSON.parse(text);
        if (channel === "/meta/connect") this.#connect(text, clientId);
        else if (channel === "/meta/disconnect") this.#leave(text);
        else {
            if (channel === "/meta/subscribe") this.#subscribing++;
            this.#waiting.push(text);
            this.#sending ??= this.#sendWaiting();
        }
    }

    close() {
        this.#isClosed = true;
        clearTimeout(this.#probe);
        this.#stream?.close();
        this.#abort.abort();
    }

    /** What was asked for before is answered first; a page that goes away still says good-bye. */
    async #leave(text) {
        if (document.visibilityState === "visible") await this.#sending;
        this.#post(text, { keepalive: true, signal: undefined }).then((answer) => this.#receive(answer), this.#fail);
    }

    async #sendWaiting() {
        // What is asked for in one turn goes together.
        await undefined;
        while (this.#waiting.length > 0 && !this.#isClosed) {
            const batch = this.#takeBatch();
            try {
                const text = await this.#post(`[${batch.map((one) => one.slice(1, -1)).join(",")}]`);
                if (this.#isClosed) return;
                this.#remember();
                this.#events.receive(text);
                const answered = batch.filter((one) => one.startsWith('[{"channel":"/meta/subscribe"')).length;
                // Later, so that who waits for a subscription has it before its messages.
                if (answered > 0) setTimeout(() => this.#release(answered));
            } catch (error) {
                return this.#fail(error);
            }
        }
        this.#sending = undefined;
    }

    #takeBatch() {
        const batch = [];
        let length = 0;
        while (batch.length < batchCount && this.#waiting.length > 0) {
            length += this.#waiting[0].length;
            if (batch.length > 0 && length > batchLength) break;
            batch.push(this.#waiting.shift());
        }
        return batch;
    }

    /** With a stream the connect waits until that is open: whatever comes then comes in order. */
    #connect(text, clientId) {
        const before = this.#connects;
        const response = this.#openStream(clientId).then(async (isOpen) => {
            const answer = await this.#post(text);
            // The session lives, but its stream is not let through. (Of one that is gone the answer says so.)
            if (!isOpen && JSON.parse(answer).at(-1)?.successful) throw new Error("There is no event stream.");
            return answer;
        });
        this.#connects = Promise.all([response, before]).then(([answer]) => this.#receive(answer), this.#fail);
    }

    /** Resolves to whether the session's stream is open, if this transport has one. */
    async #openStream(clientId) {
        if (!this.#hasStream || this.#streamOf === clientId) return true;
        this.#stream?.close();
        const stream = new EventSource(`${this.#endpoint}/${clientId}`);
        this.#stream = stream;
        this.#streamOf = clientId;
        stream.onmessage = ({ data }) => {
            // No answer of a connect's, but the advice of a broker that stops.
            this.#isStopping ||= data.startsWith('[{"channel":"/meta/connect"');
            this.#receive(data);
        };
        const isOpen = await new Promise((resolve) => {
            stream.onopen = () => resolve(true);
            stream.onerror = () => resolve(false);
        });
        stream.onerror = this.#fail;
        if (!isOpen) {
            stream.close();
            this.#streamOf = undefined;
        }
        return isOpen;
    }

    /** The text of the response to a batch. */
    async #post(body, options) {
        const headers = { "Content-Type": "application/json" };
        const signal = this.#abort.signal;
        const response = await fetch(this.#endpoint, { method: "POST", headers, body, signal, ...options });
        if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status });
        return response.text();
    }

    /** An answer has come: this works here. */
    #remember() {
        if (this.#isRemembered) return;
        this.#isRemembered = true;
        try {
            localStorage[`fanfare:${this.#endpoint}`] = `${this.#transport} ${Date.now() + memory}`;
        } catch {
            // Then the next page finds it out again.
        }
    }

    #receive(text) {
        if (this.#isClosed) return;
        if (this.#subscribing > 0) this.#held.push(text);
        else this.#events.receive(text);
    }

    #release(answered) {
        this.#subscribing -= answered;
        if (this.#subscribing === 0) for (const text of this.#held.splice(0)) this.#receive(text);
    }

    #fail = (error) => {
        if (this.#isClosed) return;
        this.close();
        this.#events.close(error?.status === 413 ? messageTooBig : this.#isStopping ? serviceRestart : undefined);
    };

    /** A WebSocket that answers is better; an empty batch is answered by an empty one. */
    #tryWebSocket() {
        const url = new URL(this.#endpoint);
        url.protocol = url.protocol.replace("http", "ws");
        const socket = new WebSocket(url);
        this.#abort.signal.addEventListener("abort", () => socket.close());
        socket.onopen = () => socket.send("[]");
        socket.onmessage = () => {
            socket.close();
            if (!this.#isClosed) this.#events.upgrade();
        };
    }
}

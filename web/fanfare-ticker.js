/**
 * Ticks for a page that is hidden, for fanfare.js, which loads this module when its page is hidden for the first time.
 * Browsers let the timers of a hidden page run once in a second, later once in a minute; those of a Worker they leave
 * alone. This file is the module, and the Worker's program, too.
 */

const interval = 1_000;
const program = `setInterval(() => postMessage(0), ${interval})`;

/** Every second while the page is hidden, run the `timers` that are due, and `check`. What is returned ends that. */
export function tick(timers, check) {
    let worker;
    const step = () => {
        for (const { due, run } of Object.values(timers)) if (performance.now() >= due) run();
        check();
    };
    const change = () => {
        const isHidden = document.visibilityState === "hidden";
        if (isHidden && !worker) worker = start(step);
        if (!isHidden) end();
    };
    const end = () => {
        worker?.terminate();
        worker = undefined;
    };
    document.addEventListener("visibilitychange", change);
    addEventListener("pagehide", end);
    change();
    return () => {
        document.removeEventListener("visibilitychange", change);
        removeEventListener("pagehide", end);
        end();
    };
}

/**
 * A Worker needs a script of the page's own origin: a Blob, for which no network is needed, or, where the page's policy
 * forbids that, this file. Where neither may be, the page goes without: its own timers do the same, only later.
 */
function start(step) {
    const blob = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    const addresses = [blob];
    if (new URL(import.meta.url).origin === location.origin) addresses.push(import.meta.url);
    let worker;
    const next = () => {
        const address = addresses.shift();
        if (!address) return;
        try {
            worker = new Worker(address, { type: "module" });
            worker.onmessage = () => {
                URL.revokeObjectURL(blob);
                step();
            };
            worker.onerror = (event) => {
                event.preventDefault();
                next();
            };
        } catch {
            next();
        }
    };
    next();
    return {
        terminate() {
            addresses.length = 0;
            worker?.terminate();
        },
    };
}

if (!globalThis.document) setInterval(() => postMessage(0), interval);

/**
 * Tokens that the page fetches, for fanfare.js, which loads this module when `token` is a function.
 */
import { FanfareError } from "./fanfare.js";

const firstRetry = 5_000;
/** Beyond this a timer would be due at once. */
const longestTimer = 2 ** 31 - 1;

/**
 * Call `source` until it answers, every 5 to 10 s; whoever asks meanwhile waits for the same answer. Then `kept` has
 * the `token`, which `isTokenNew`, and `renew` is told in how many milliseconds to ask again. `refused` gets an
 * `UnauthorizedError`, which says that there is none to be had; `failed` every other failure. Once all `isOver`, nobody
 * is asked, and nothing is told.
 */
export function fetchToken(source, kept) {
    kept.fetching ??= ask(source, kept).finally(() => (kept.fetching = undefined));
    return kept.fetching;
}

async function ask(source, kept) {
    const { isOver, refused, failed, renew } = kept;
    let answer;
    while (!isOver()) {
        try {
            answer = await source();
            if (answer) break;
            throw new Error("There is no token.");
        } catch (error) {
            if (error?.name === "UnauthorizedError") return refused(error);
            if (isOver()) return;
            failed(new FanfareError(error?.message ?? String(error), "token", error));
            await new Promise((resolve) => setTimeout(resolve, firstRetry * (1 + Math.random())));
        }
    }
    if (isOver()) return;
    Object.assign(kept, { token: answer, isTokenNew: true });
    const delay = renewalDelay(answer);
    if (delay) renew(delay);
}

/** When 80 to 95 % of a JSON Web Token's life are over; never for a token that does not say. */
function renewalDelay(token) {
    const delay = lifetime(token) * (0.8 + 0.15 * Math.random());
    if (delay > 0) return Math.min(delay, longestTimer);
}

/** The milliseconds that a token is still good for; NaN when it does not say. */
function lifetime(token) {
    try {
        const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
        return JSON.parse(atob(claims)).exp * 1000 - Date.now();
    } catch {
        return Number.NaN;
    }
}

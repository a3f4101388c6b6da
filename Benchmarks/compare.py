#!/usr/bin/env python3
"""Compares the broker with others on this machine, side by side in one run; the tables are kept in Benchmarks/results.

    compare.py [--rounds N] [--cases NAME,…] [--peers NAME,…] [--seconds N] [--list]

Every server runs on core 0, the load generator on core 1, each case on a server that has just been started; the rounds
of the peers are interleaved. What counts is the server's CPU time, and of that the ratios.

BENCH is the folder of the load generator wsload and of the scripts that start the other brokers.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / ".build" / "bench"
VENV = ROOT / ".build" / "bench-venv"

FANOUT = "fanout --subs 1000 --warmup 0.5 --duration-max 2 --drain-max 6"
PUBLISH = "publish --publishers 16 --window 16 --warmup 0.5 --duration-max 2"

# What is kept of the channels that wsload publishes to.
STORED = "channels:\n  /**:\n    history: 1000\n    history-age: 1h\n    durability: {}\n"

# Ours, by what is different from the default.
OURS = {
    "fanfare": ("", 1),
    "fanfare-2-loops": ("", 2),
    "fanfare-2-loops-not-held": ("hold-microseconds: 0\n", 2),
    "fanfare-normal": (STORED.format("normal"), 1),
    "fanfare-full": (STORED.format("full"), 1),
}

Case = collections.namedtuple("Case", "title options peers figure unit")
DELIVERIES = ("deliveries_per_server_cpu_s", "deliveries / server CPU s")
ACKS = ("acks_per_server_cpu_s", "acknowledgements / server CPU s")
OTHERS = ["uws", "nats", "mosquitto", "nchan", "faye-ruby"]
CASES = {
    "fanout": Case("1000 subscribers of one channel, 32 messages on their way", FANOUT, ["fanfare", *OTHERS], *DELIVERIES),
    "window-1": Case(
        "1000 subscribers of one channel, one message on its way", FANOUT + " --window 1", ["fanfare", *OTHERS], *DELIVERIES
    ),
    "channels": Case(
        "100 channels of 10 subscribers, 4 publishers, 256 messages on their way",
        FANOUT + " --channels 100 --publishers 4 --window 256",
        ["fanfare", *OTHERS],
        *DELIVERIES,
    ),
    "rate": Case(
        "1000 subscribers of one channel, 100 messages a second",
        FANOUT + " --rate 100 --backlog-max 1",
        ["fanfare", *OTHERS],
        *DELIVERIES,
    ),
    "large": Case(
        "1000 subscribers of one channel, 16 KiB", FANOUT + " --size 16384 --window 4", ["fanfare", *OTHERS], *DELIVERIES
    ),
    "publish": Case(
        "16 publishers, 16 acknowledgements awaited by each, nobody subscribed",
        PUBLISH,
        ["fanfare", "nats", "mosquitto", "nchan"],
        *ACKS,
    ),
    "stored": Case(
        "the same, stored before it is acknowledged; mosquitto keeps nothing",
        PUBLISH,
        ["fanfare-normal", "fanfare-full", "mosquitto"],
        *ACKS,
    ),
    "100-subscribers": Case(
        "100 subscribers of one channel", FANOUT.replace("1000", "100"), ["fanfare", "uws", "nats"], *DELIVERIES
    ),
    "15000-subscribers": Case(
        "15,000 subscribers of one channel",
        FANOUT.replace("1000", "15000") + " --setup-timeout 60",
        ["fanfare", "uws", "nats"],
        *DELIVERIES,
    ),
    "loops": Case(
        "100 channels of 10 subscribers, one event loop, and two on one core, with `hold-microseconds: 0` too",
        FANOUT + " --channels 100 --publishers 4 --window 256",
        ["fanfare", "fanfare-2-loops", "fanfare-2-loops-not-held"],
        *DELIVERIES,
    ),
    "idle": Case(
        "10,000 idle subscribers of 500 channels",
        "idle --subs 10000 --channels 500 --hold 1 --setup-timeout 60",
        ["fanfare", *OTHERS],
        "connects_per_server_cpu_s",
        "connect + subscribe / server CPU s",
    ),
}
QUICK = ["fanout", "channels", "publish"]


def prepare(bench, peers):
    """A copy of the load generator, for its folder may be read-only and peers are added to it."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(bench, COPY)
    subprocess.run(["chmod", "-R", "u+w", COPY], check=True)
    subprocess.run(["make", "-s", "-C", COPY, "wsload"], check=True)
    for name, (configuration, threads) in OURS.items():
        if configuration:
            (COPY / f"{name}.yaml").write_text(configuration)
        script = COPY / "peers" / f"{name}.sh"
        script.write_text(
            "#!/bin/sh\n# wsload: --proto bayeux --path /bayeux\n"
            '. "$(dirname "$0")/common.sh"\n'
            f'exec "{ROOT}/.build/release/broker-server" serve --listen "127.0.0.1:$PORT"'
            f' --database "$WORK/fanfare.db" --threads {threads} --log-level warning'
            + (f' --config "{COPY}/{name}.yaml"' if configuration else "")
            + "\n"
        )
        script.chmod(0o755)
    if "uws" in peers and not (VENV / "bin" / "python").exists():
        venv.create(VENV, with_pip=True)
        subprocess.run([VENV / "bin" / "pip", "--quiet", "install", "socketify"], check=True)


def run(peer, options):
    environment = {**os.environ, "PYTHON": str(VENV / "bin" / "python"), "RUN_TIMEOUT": "120"}
    command = ["./run-one.sh", peer, *options.split()]
    output = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    try:
        return json.loads(output.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"status": output.stderr.strip().splitlines()[-1] if output.stderr.strip() else "no result"}


def figure(case, result):
    """The figure that is compared, or nothing if the run is not good."""
    return result.get(case.figure) if result.get("status") == "ok" else None


def table(case, results):
    """The lines of a case's table, the peer with the best figure first."""
    lines = [f"### {case.title[0].upper()}{case.title[1:]}", "", f"`wsload {case.options}`", ""]
    medians = {}
    for peer in case.peers:
        figures = [f for f in (figure(case, r) for r in results[peer]) if f]
        medians[peer] = statistics.median(figures) if figures else None
    others = [p for p in case.peers if not p.startswith("fanfare") and medians[p]]
    head = [case.unit, "spread", *(f"beside {p}" for p in others), "p50", "p99", "memory / connection", "outcome"]
    lines += ["| server | " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|---|"]
    for peer in sorted(case.peers, key=lambda p: -(medians[p] or 0)):
        good = [r for r in results[peer] if r.get("status") == "ok"]
        outcome = next((r["status"] for r in results[peer] if r not in good), "ok" if good else "left out")
        if not medians[peer]:
            lines.append(f"| {peer} |" + " – |" * (len(head) - 1) + f" {outcome} |")
            continue
        figures = [figure(case, r) for r in good]
        cells = [f"{medians[peer]:,.0f}", f"×{max(figures) / min(figures):.2f}"]
        cells += ["" if p == peer else f"{medians[peer] / medians[p]:.2f}" for p in others]
        for point in ("p50", "p99"):
            times = [r["lat_us"][point] for r in good if isinstance(r.get("lat_us"), dict)]
            cells.append(f"{statistics.median(times) / 1000:.2f} ms" if times else "")
        memory = [r["rss_kb_per_conn"] for r in good if "rss_kb_per_conn" in r]
        cells.append(f"{statistics.median(memory):.1f} KiB" if memory else "")
        lines.append(f"| {peer} | " + " | ".join([*cells, outcome]) + " |")
    return [*lines, ""]


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}; commit {commit.strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default=",".join(CASES), help="separated by commas; `quick` for those of bench-quick")
    parser.add_argument("--peers", help="only these of the other brokers, separated by commas")
    parser.add_argument("--seconds", type=int, default=3600, help="no run begins later than that")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    arguments = parser.parse_args()
    if arguments.list:
        for name, case in CASES.items():
            print(f"{name:18} {case.title}")
        return
    names = QUICK if arguments.cases == "quick" else arguments.cases.split(",")
    cases = {name: CASES[name] for name in names}
    if arguments.peers is not None:
        kept = arguments.peers.split(",")
        cases = {n: c._replace(peers=[p for p in c.peers if p.startswith("fanfare") or p in kept]) for n, c in cases.items()}
    bench = os.environ.get("BENCH") or sys.exit("BENCH is the folder of the load generator wsload and of its peers")
    prepare(bench, {peer for case in cases.values() for peer in case.peers})

    start = time.monotonic()
    results = {name: collections.defaultdict(list) for name in cases}
    skipped = 0
    for number in range(arguments.rounds):
        for name, case in cases.items():
            for peer in case.peers:
                if time.monotonic() - start > arguments.seconds:
                    skipped += 1
                    continue
                results[name][peer].append(run(peer, case.options))
        print(f"round {number + 1} of {arguments.rounds} done after {time.monotonic() - start:.0f} s", file=sys.stderr)

    now = datetime.datetime.now()
    lines = [f"# {now:%Y-%m-%d %H:%M}", "", f"{machine()}; medians of up to {arguments.rounds} interleaved rounds.", ""]
    for name, case in cases.items():
        lines += table(case, results[name])
    runs = [r for case in results.values() for peer in case.values() for r in peer if "other_cpu_s" in r]
    busy = [r["other_cpu_s"] / r["seconds"] for r in runs if r.get("seconds")]
    if busy:
        lines.append(f"Other programs used {statistics.median(busy):.2f} cores (median), at most {max(busy):.2f}.")
    if skipped:
        lines.append(f"{skipped} runs were left out because time was up.")
    text = "\n".join(lines) + "\n"
    kept = ROOT / "Benchmarks" / "results" / f"{now:%Y-%m-%d-%H%M}.md"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

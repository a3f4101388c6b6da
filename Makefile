# make run      installs what is missing, builds the broker and starts it
# make test     installs what is missing, builds, runs the tests: our own, real clients, a browser, attacks (not the long
#               ones), faults, the Autobahn suite (not the cases 9, 12 and 13)
# make lint     checks the format of the sources
# make help     the rest
#
# Installing needs Debian or Ubuntu and root or sudo, and is skipped when everything is there.

SHELL = /bin/sh
SWIFT_FLAGS ?= --explicit-target-dependency-import-check error
ARGS ?=

# Another Chromium on the PATH, with its driver, will do as well.
BROWSER_PACKAGES = $(if $(shell command -v chromedriver),,chromium chromium-driver)
# docs/dependencies.md says what each is for.
BUILD_PACKAGES = libsqlite3-dev libssl-dev zlib1g-dev
TEST_PACKAGES = $(BROWSER_PACKAGES) caddy gcc groff libc6-dev lintian openssl curl fonts-dejavu-core haproxy \
    libnginx-mod-stream nginx node-typescript prometheus python3-lib2to3 python3-venv ruby-faye sslscan systemd tinyproxy-bin
BENCH_PACKAGES = gcc libuv1 mosquitto nats-server nginx libnginx-mod-nchan ruby-faye thin

# $(call install,PACKAGES): installs those that are missing.
define install
@missing=$$(for package in $(1); do \
    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; \
done); \
if [ -n "$$missing" ]; then \
    echo "== Installing" $$missing; \
    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
    $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

.PHONY: run test check-swift build-packages test-packages bench-packages build release unit interop conformance lint \
    configuration conformance-quick attack attack-quick attack-load faults crash-test cli-crash-test rehearse soak man deb static docs format fuzz hot-paths bench bench-quick bench-ratios bench-sizing bench-driver clean help

run: release
	@echo "== Starting the broker"
	@exec .build/release/broker-server serve $(ARGS)

test: unit interop attack-quick faults conformance-quick docs
	@echo "== All tests have passed"

check-swift:
	@command -v swift >/dev/null || { echo "Swift is missing: see https://www.swift.org/install/linux/" >&2; exit 1; }

build-packages: check-swift
	$(call install,$(BUILD_PACKAGES))

test-packages:
	$(call install,$(TEST_PACKAGES))

bench-packages:
	$(call install,$(BENCH_PACKAGES))

build: build-packages
	@echo "== Building for tests (debug)"
	@swift build --build-tests $(SWIFT_FLAGS)

release: build-packages
	@echo "== Building (release)"
	@swift build -c release --product broker-server $(SWIFT_FLAGS)
	@swift build -c release --product broker-cli $(SWIFT_FLAGS)

FEW = SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8

unit: build
	@echo "== Our own tests"
	@# What keeps deadlines over sockets has the machine to itself, and so have those that wait for programs:
	@# the others compute for minutes, on every core. A few at a time: brokers that all begin at once are late.
	@ulimit -n "$$(ulimit -Hn)"; $(FEW) swift test --skip-build --filter BrokerFrontTests
	@ulimit -n "$$(ulimit -Hn)"; $(FEW) swift test --skip-build --filter 'ProgramTests|EmbeddingTests'
	@ulimit -n "$$(ulimit -Hn)"; swift test --skip-build --skip 'BrokerFrontTests|ProgramTests|EmbeddingTests'

interop: build test-packages
	@echo "== Real clients: ruby-faye, aiocometd, curl, Chromium"
	@FANFARE_BIN=.build/debug Tests/Interop/run.sh

# Attacks over real sockets, while a well-behaved client uses the broker: docs/threat-model.md.
attack: release test-packages
	@echo "== Attacks"
	@FANFARE_BIN=.build/release Tests/Attacks/run.sh

# Without those that take their time. What is not optimized may keep the well-behaved waiting for longer than a second.
attack-quick: build test-packages
	@echo "== Attacks, the quick ones"
	@ATTACK_SERVICE=5 FANFARE_BIN=.build/debug Tests/Attacks/run.sh -m "not long"

# 15,000 connections, steady publishing, and each fault in turn: the 99th percentile must not double. By hand.
attack-load: release test-packages
	@Tests/Interop/run.sh --version >/dev/null
	@FANFARE_BIN=.build/release .build/interop-venv/bin/python Tests/Attacks/load.py $(ARGS)

# Without the long cases; `make conformance` runs them all.
conformance-quick: build test-packages
	@echo "== The Autobahn suite, both roles"
	@FANFARE_BIN=.build/debug Tests/Autobahn/run.sh

# Kills the broker under load, again and again, on one database. ROUNDS=300 takes about eight minutes.
ROUNDS ?= 300
SEED ?=
crash-test: release test-packages
	@echo "== Killing the broker $(ROUNDS) times"
	@FANFARE_BIN=.build/release Tests/Crash/run.sh $(ROUNDS) $(SEED)

# Kills brokers and command line clients, a hundred times: takes about three minutes.
cli-crash-test: ROUNDS = 100
cli-crash-test: release test-packages
	@echo "== Killing brokers and clients $(ROUNDS) times"
	@PLAY=cli_crash.py FANFARE_BIN=.build/release Tests/Crash/run.sh $(ROUNDS) $(SEED)

# What an operator does, under load: ROTATIONS new certificates, and ROUNDS stops and starts. Takes less than a minute.
ROTATIONS ?= 100
rehearse: ROUNDS = 50
rehearse: release test-packages
	@echo "== Replacing the certificate $(ROTATIONS) times"
	@ROTATIONS=$(ROTATIONS) FANFARE_BIN=.build/release Tests/Interop/run.sh -k certificates_are_replaced test_tls.py
	@echo "== Stopping the broker $(ROUNDS) times"
	@PLAY=drain.py FANFARE_BIN=.build/release Tests/Crash/run.sh $(ROUNDS) $(SEED)

# Clients come and go for MINUTES, with builds for AddressSanitizer, ThreadSanitizer and for release, all at the same time.
MINUTES ?= 60
soak: build-packages test-packages
	@SWIFT_FLAGS="$(SWIFT_FLAGS)" Tests/Soak/run.sh $(MINUTES) $(SEED)

# Both crash tests, a few times, a stop, and a disk that fails.
faults: build test-packages
	@echo "== Killing the broker 20 times"
	@FANFARE_BIN=.build/debug Tests/Crash/run.sh 20
	@echo "== Killing brokers and clients 10 times"
	@PLAY=cli_crash.py FANFARE_BIN=.build/debug Tests/Crash/run.sh 10
	@echo "== Stopping the broker 5 times"
	@PLAY=drain.py FANFARE_BIN=.build/debug Tests/Crash/run.sh 5
	@echo "== Failing disks, full disks, loss of power, clocks that jump"
	@FANFARE_BIN=.build/debug Tests/Faults/run.sh

docs: build
	@echo "== The driver's documentation"
	@Tests/docs.sh

# The manual pages, from what the programs say of themselves.
man: release
	@mkdir -p .build/man
	@for program in broker-cli broker-server; do \
	    deploy/make-man.py .build/release/$$program "$$(date +%Y-%m-%d)" >.build/man/$$program.1 || exit 1; \
	done
	@echo "== The manual pages are in .build/man; look at one with: man .build/man/broker-cli.1"

conformance: build-packages test-packages
	@echo "== The Autobahn suite, all 517 cases, both roles"
	@swift build -c release --product echo-server $(SWIFT_FLAGS)
	@swift build -c release --product echo-client $(SWIFT_FLAGS)
	@CASES='*' FANFARE_BIN=.build/release Tests/Autobahn/run.sh

# What Fuzz links to is not looked at twice.
SOURCES = Package.swift Sources Tests Examples migrations web Benchmarks Fuzz/Package.swift $(wildcard Fuzz/Sources/Fuzz*)

lint: check-swift
	@echo "== Format"
	@swift format lint --strict --recursive --parallel $(SOURCES)

format: check-swift
	@swift format format --in-place --recursive --parallel $(SOURCES)

# Fuzzing with libFuzzer and AddressSanitizer: SECONDS for each target, from the kept corpus.
SECONDS ?= 60
fuzz: build-packages
	@echo "== Fuzzing, $(SECONDS) seconds each"
	@Fuzz/run.sh $(SECONDS) $(TARGETS)

# The load generator and the scripts that start other brokers are a project of their own: BENCH names its folder.
bench: release bench-packages bench-ratios
	@Benchmarks/compare.py

# What TLS, compression and growth cost, beside the broker itself; ROWS=tls measures that alone.
bench-ratios: release
	@swift build -c release --product tls-reference $(SWIFT_FLAGS)
	@Benchmarks/Ratios/ratios.py $(ROWS)

# What idle connections and handshakes cost, without TLS and with it; ARGS="--rounds 3" asks for more than one.
bench-sizing: release
	@Benchmarks/sizing.py $(ARGS)

# One round of what matters most, beside two others: under two minutes after the build.
bench-quick: release bench-packages
	@Benchmarks/compare.py --rounds 1 --cases quick --peers uws,nats --seconds 100

# Instructions and allocations of what is done for every message: they do not depend on how busy the machine is.
hot-paths: build-packages
	$(call install,valgrind)
	@echo "== Instructions and allocations of the hot paths"
	@Benchmarks/HotPaths/check.py

bench-driver: build-packages
	$(call install,libwslay-dev)
	@swift run -c release --package-path Benchmarks/Driver driver-benchmark

# A Debian package of programs that bring the Swift runtime along; of those in FANFARE_BIN, if that is set.
deb: $(if $(FANFARE_BIN),,static)
	@deploy/make-deb.sh $(or $(FANFARE_BIN),.build/static/release) .build

static: build-packages
	@swift build -c release --static-swift-stdlib --scratch-path .build/static --product broker-server $(SWIFT_FLAGS)
	@swift build -c release --static-swift-stdlib --scratch-path .build/static --product broker-cli $(SWIFT_FLAGS)

# What is made from the table of settings.
configuration: build
	@.build/debug/broker-server print-config --markdown > docs/configuration.md
	@.build/debug/broker-server print-config --defaults > deploy/fanfare.yaml

clean:
	rm -rf .build

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile
	@echo "make build, release, unit, interop, attack-quick, faults, conformance-quick, docs: a part of the above"
	@echo "make conformance   all 517 cases of the Autobahn suite, both roles"
	@echo "make crash-test    kills the broker ROUNDS (300) times under load and looks for what it lost"
	@echo "make cli-crash-test kills brokers and clients ROUNDS (100) times: outboxes and positions lose nothing"
	@echo "make rehearse replaces certificates ROTATIONS (100) times and stops the broker ROUNDS (50) times, under load"
	@echo "make soak     lets clients come and go for MINUTES (60) with sanitizers: no reports, no growth, nothing lost"
	@echo "make attack   attacks the broker while a well-behaved client uses it"
	@echo "make attack-load  the same beside 15,000 connections: how late are their messages?"
	@echo "make man      writes the manual pages of both programs to .build/man"
	@echo "make deb      makes a Debian package, in .build"
	@echo "make configuration  makes docs/configuration.md and deploy/fanfare.yaml from the table of settings"
	@echo "make format   formats the sources;  make clean   removes what was built"
	@echo "make fuzz     looks for inputs that break the parsers"
	@echo "make hot-paths counts the instructions of what is done for every message"
	@echo "make bench    compares with other brokers: see Benchmarks/README.md; make bench-quick in two minutes,"
	@echo "              make bench-driver the driver with others,"
	@echo "              make bench-ratios what TLS, compression and growth cost,"
	@echo "              make bench-sizing what idle connections and handshakes cost, without TLS and with it"

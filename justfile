# What people and CI run. `./just` lists it; `./just RECIPE` also works where `just` is not installed.

set positional-arguments

tools := justfile_directory() / ".tools"
built := env_var_or_default("CARGO_TARGET_DIR", justfile_directory() / "target")
export PATH := tools / "bin:" + env_var("PATH")

# List the recipes
_list:
    @"{{just_executable()}}" --justfile "{{justfile()}}" --list --unsorted

# Send real events through every role, print what became of them, stop everything
demo *ARGS: build
    @exec "{{built}}/debug/posthouse-demo" demo "$@"

# A system to work with until Ctrl-C: [--release] [--bare] [--project NAME]
up *ARGS:
    @cargo build --workspace --bins {{ if ARGS =~ '(^| )--release( |$)' { "--release" } else { "" } }}
    @exec "{{built}}/{{ if ARGS =~ '(^| )--release( |$)' { "release" } else { "debug" } }}/posthouse-demo" up "$@"

# One role with its flags: just run worker --help
run ROLE *ARGS:
    @shift; exec cargo run --quiet --bin "posthouse-{{ROLE}}" -- "$@"

# Everything that must pass, on services of its own
test: fmt deps build services python-tools node-tools browser-tools kafka sqs pubsub s3 azure lint deny deploy-check fuzz
    @exec "{{built}}/debug/posthouse-demo" stage -- cargo test --workspace --no-fail-fast

# The checks that need no services
check: fmt lint deps deny

# Build every binary
build:
    cargo build --workspace --bins

# Install PostgreSQL, Redis, Mosquitto, RabbitMQ, the NATS server and HAProxy where they are missing
services:
    @"{{built}}/debug/posthouse-demo" services

# The SDK and the fuzzer that the end-to-end tests run, into .tools/python
python-tools: (_python "python" "e2e/python/requirements.txt")

# The S3-compatible store that the tests of archives speak to, into .tools/s3
s3: (_python "s3" "archive/tests/s3/requirements.txt")

# The Azure Blob Storage that the tests of archives speak to, into .tools/azure
azure: (_node "azure" "archive/tests/azure")

# Python packages into a folder of .tools, once for each change of their list
_python HOME WANTED:
    #!/bin/sh
    set -eu
    wanted="{{justfile_directory()}}/{{WANTED}}"
    home="{{tools}}/{{HOME}}"
    if cmp -s "$wanted" "$home/requirements.txt"; then exit 0; fi
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        echo "Installing python3-venv with apt-get, because Python with its venv module was not found."
        as=$([ "$(id -u)" = 0 ] || echo sudo)
        $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends python3 python3-venv
    fi
    echo "Installing the Python packages of $wanted into $home."
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$home/requirements.txt"

# Image, Compose, chart, units, alerts and dashboard in deploy/ are sound, and fit the binaries and a running system
deploy-check: build services (_python "deploy" "deploy/check/requirements.txt") _debian-tools
    @PYTHONDONTWRITEBYTECODE=1 exec "{{tools}}/deploy/bin/python" deploy/check --built "{{built}}/debug" --debian "{{tools}}/debian"

# promtool and systemd-analyze from Debian's packages, unpacked and not installed
_debian-tools:
    #!/bin/sh
    set -eu
    home="{{tools}}/debian"
    if [ -x "$home/usr/bin/promtool" ] && [ -x "$home/usr/bin/systemd-analyze" ]; then exit 0; fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "deploy-check needs promtool and systemd-analyze from the packages of Debian or Ubuntu: run it there." >&2
        exit 1
    fi
    echo "Unpacking promtool and systemd-analyze into $home."
    as=$([ "$(id -u)" = 0 ] || echo sudo)
    rm -rf "$home" && mkdir -p "$home/packages" && cd "$home/packages"
    $as apt-get update -qq
    apt-get download -qq -o APT::Sandbox::User="$(id -un)" prometheus systemd libsystemd-shared
    for package in *.deb; do dpkg-deb --extract "$package" "$home"; done
    rm -rf "$home/packages" "$home/usr/bin/prometheus"

# The Kafka that ingest's tests run, into .tools/kafka
kafka: (_maven "kafka")

# The ElasticMQ that ingest's tests run as Amazon SQS, into .tools/sqs
sqs: (_maven "sqs")

# A program in Java from Maven's artifacts, once for each change of their list
_maven NAME:
    #!/bin/sh
    set -eu
    wanted="{{justfile_directory()}}/ingest/tests/{{NAME}}/pom.xml"
    home="{{tools}}/{{NAME}}"
    if cmp -s "$wanted" "$home/pom.xml"; then exit 0; fi
    if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
        echo "Installing Java and Maven with apt-get, because they were not found."
        as=$([ "$(id -u)" = 0 ] || echo sudo)
        $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends default-jre-headless maven
    fi
    echo "Fetching the program of $wanted into $home."
    rm -rf "$home"
    mvn --quiet --batch-mode --file "$wanted" dependency:copy-dependencies "-DoutputDirectory=$home/jars"
    cp "$wanted" "$home/pom.xml"

# The fake of Google Pub/Sub that ingest's tests run, into .tools/pubsub
pubsub:
    #!/bin/sh
    set -eu
    source="{{justfile_directory()}}/ingest/tests/pubsub"
    home="{{tools}}/pubsub"
    if [ -x "$home/server" ] && cmp -s "$source/main.go" "$home/main.go" && cmp -s "$source/go.sum" "$home/go.sum"; then exit 0; fi
    if ! command -v go >/dev/null; then
        echo "Installing golang-go with apt-get, because it was not found."
        as=$([ "$(id -u)" = 0 ] || echo sudo)
        $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends golang-go
    fi
    echo "Building the server of $source into $home."
    rm -rf "$home"
    mkdir -p "$home"
    (cd "$source" && CGO_ENABLED=0 go build -o "$home/server" .)
    cp "$source/main.go" "$source/go.sum" "$home"

# The library that verifies webhooks in JavaScript, for an end-to-end test, into .tools/node
node-tools: (_node "node" "e2e/node")

# Chromium, and what drives it through the dashboard, for an end-to-end test; the latter into .tools/browser
browser-tools: (_node "browser" "e2e/browser")
    #!/bin/sh
    set -eu
    if [ -x /usr/bin/chromium ]; then exit 0; fi
    echo "Installing chromium with apt-get, because it was not found."
    as=$([ "$(id -u)" = 0 ] || echo sudo)
    $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core

# Make the images of README.md anew, by the end-to-end test of the dashboard
readme-images: build services browser-tools
    cargo test --workspace --test it browser::
    for name in overview events delivery; do cp "{{justfile_directory()}}/target/screenshots/readme-$name.png" "docs/images/$name.png"; done

# JavaScript packages into a folder of .tools, once for each change of their list
_node HOME WANTED:
    #!/bin/sh
    set -eu
    wanted="{{justfile_directory()}}/{{WANTED}}"
    home="{{tools}}/{{HOME}}"
    if ! node --version >/dev/null 2>&1 || ! npm --version >/dev/null 2>&1; then
        echo "Installing nodejs and npm with apt-get, because Node with its package manager was not found."
        as=$([ "$(id -u)" = 0 ] || echo sudo)
        $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends nodejs npm
    fi
    if cmp -s "$wanted/package-lock.json" "$home/package-lock.json"; then exit 0; fi
    echo "Installing the JavaScript packages of $wanted into $home."
    rm -rf "$home" "$home.new"
    mkdir -p "$home.new"
    cp "$wanted/package.json" "$wanted/package-lock.json" "$home.new"
    (cd "$home.new" && npm ci --silent --ignore-scripts --no-audit --no-fund)
    mv "$home.new" "$home"

# The code is formatted
fmt:
    cargo fmt --all --check

# The compiler and clippy have nothing to say
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Each crate depends on no other of ours than the design allows
deps:
    #!/bin/sh
    set -eu
    only() {
        crate=$1; shift
        # A statement of its own, so that a failing cargo ends the recipe.
        tree=$(cargo tree --locked -p "$crate" -e normal --prefix none)
        for found in $(printf '%s\n' "$tree" | sed -n 's/^\(posthouse[a-z-]*\|salvo\) .*/\1/p' | sort -u); do
            case " $crate $* " in
                *" $found "*) ;;
                *) echo "$crate must not depend on $found; a new edge needs a decision in docs/decisions/" >&2; exit 1 ;;
            esac
        done
    }
    only posthouse-service
    only posthouse-schema
    only posthouse-jobs posthouse-schema posthouse-service
    only posthouse-egress posthouse-service
    only posthouse-archive posthouse-schema
    only posthouse-egress-fuzz posthouse-egress posthouse-service
    only posthouse-oauth2
    only posthouse-signature
    only posthouse-filter
    only posthouse-pages
    only posthouse-boxed
    only posthouse-broker-settings
    only posthouse-transform
    only posthouse-ingest posthouse-broker-settings posthouse-jobs posthouse-schema posthouse-service posthouse-transform
    only posthouse-worker posthouse-archive posthouse-jobs posthouse-schema posthouse-egress posthouse-oauth2 posthouse-signature posthouse-filter posthouse-transform posthouse-service
    only posthouse-api posthouse-boxed posthouse-broker-settings posthouse-jobs posthouse-schema posthouse-egress posthouse-oauth2 posthouse-pages posthouse-signature posthouse-filter posthouse-transform posthouse-service salvo
    only posthouse posthouse-archive posthouse-jobs posthouse-schema posthouse-signature posthouse-service
    echo "The crate graph is as designed."

# Licences, banned crates and sources; known vulnerabilities when their database can be reached
deny: _cargo-deny
    #!/bin/sh
    set -eu
    cargo deny --log-level warn check licenses bans sources
    if cargo deny --log-level off fetch db >/dev/null 2>&1; then
        cargo deny --log-level warn check --disable-fetch advisories
    else
        echo "Note: the advisory database cannot be reached, so known vulnerabilities were NOT checked."
    fi

_cargo-deny:
    #!/bin/sh
    set -eu
    version=0.20.2
    if ! cargo deny --version 2>/dev/null | grep -qF "cargo-deny $version"; then
        echo "Building cargo-deny $version into {{tools}}: it checks what may be compiled in and is not installed here. This takes a minute, once."
        # Optimised it would take three and a half minutes, to save two seconds of each check.
        cargo install cargo-deny --version "$version" --locked --debug --root "{{tools}}"
    fi

# Send events while every role is killed and every service restarted; nothing may be lost: [--events N] [--seed N] [--seconds N]
chaos *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-demo" chaos "$@"

# Restart every role under load, one after the other; nothing may be lost, and no caller answered 5xx: [--rate N] [--steady SECONDS]
rolling *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-demo" rolling "$@"

# Cut hosts, which are network namespaces, off from the database under load; nothing may be lost: [--rate N] [--seconds N]
partition *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-demo" partition "$@"

# Replay recorded requests where their kit lies beside the clone, and compare with docs/compatibility.md
contract KIT="../shared/api/contract_kit.py" *ARGS: build
    #!/bin/sh
    set -eu
    kit=$1; shift
    if [ ! -f "$kit" ]; then echo "Note: $kit is not there, so the contract was NOT replayed."; exit 0; fi
    exec "{{built}}/debug/posthouse-demo" contract -- python3 "$kit" --set open "$@"

# Compare what is signed and accepted with signatures that others made, right and wrong
vectors FILE:
    #!/bin/sh
    set -eu
    file=$(realpath "$1")
    test=ingest::verifier::vector_tests::others_signatures_are_ours
    if ! said=$(SIGNATURE_VECTORS="$file" cargo test --workspace --lib -- --ignored --exact --nocapture "$test" 2>&1); then
        printf '%s\n' "$said" >&2
        exit 1
    fi
    # Without this line no test of that name was there.
    printf '%s\n' "$said" | grep 'are as expected'

# Ask the egress rules and running proxies for every case of a file, where each address is this machine's
egress-cases FILE="../shared/security/egress-cases.json":
    #!/bin/sh
    set -eu
    if [ ! -f "$1" ]; then echo "Note: $1 is not there, so its cases were NOT run."; exit 0; fi
    space=""
    for way in "unshare --net" "unshare --user --map-root-user --net"; do
        if $way ip link set lo up 2>/dev/null; then space=$way; break; fi
    done
    if [ -z "$space" ]; then
        echo "Note: network namespaces, or the command ip (Debian: iproute2), are not available, so the cases of $1 were NOT run."; exit 0
    fi
    file=$(realpath "$1")
    # Of the whole workspace, so that it is what `test` has compiled.
    cargo test --quiet --workspace --test it --no-run
    everywhere='ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo && exec "$@"'
    POSTHOUSE_EGRESS_CASES="$file" exec $space sh -c "$everywhere" sh \
        cargo test --offline --quiet --workspace --test it -- --nocapture --exact cases::cases_get_the_decision_that_they_expect

# Let a fuzzer look for targets and heads that mislead the egress proxy, for so many seconds each
fuzz SECONDS="10":
    #!/bin/sh
    set -eu
    parts="{{justfile_directory()}}/egress/fuzz" found="{{justfile_directory()}}/.posthouse/fuzz"
    # Of the whole workspace, so that dependencies are those of `build`.
    RUSTC_WORKSPACE_WRAPPER="$parts/instrumented" \
        cargo build --quiet --workspace --features posthouse-egress-fuzz/libfuzzer --bin fuzz-authority --bin fuzz-head
    for target in authority head; do
        mkdir -p "$found/$target"
        if ! "{{built}}/debug/fuzz-$target" -max_total_time="$1" -timeout=60 -dict="$parts/dictionary" \
            -artifact_prefix="$found/" "$found/$target" "$parts/seeds/$target" >"$found/$target.log" 2>&1; then
            tail -n 40 "$found/$target.log" >&2
            echo "fuzz-$target found something: see above, and $found." >&2
            exit 1
        fi
        echo "fuzz-$target: $(grep '^Done ' "$found/$target.log")."
    done

# Measure a system of its own and print the table: [--quick] [--case NAME] [--markdown] [--strict]
bench *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-bench" run "$@"

# Measure what the queue promises, on a Redis of its own: [--jobs N] [--markdown]
bench-queue *ARGS:
    cargo build --release --bin posthouse-bench
    @exec "{{built}}/release/posthouse-bench" queue "$@"

# Measure functions, filters, hanging endpoints and a wave of retries, on a system of its own: [--case NAME] [--quick] [--markdown]
bench-delivery *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-bench" delivery "$@"

# Measure how quickly a ledger of 1,000,000 events is listed, on a system of its own: [--events N] [--markdown] [--strict]
bench-lists *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-bench" lists "$@"

# Measure how quickly the dashboard's pages come with 1,000,000 events behind them, on a system of its own: [--events N] [--markdown] [--strict]
bench-pages *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-bench" pages "$@"

# Measure the job board and the dashboard's queues with a queue of 1,000,000 jobs, on a system of its own: [--jobs N] [--markdown] [--strict]
bench-board *ARGS:
    cargo build --release --workspace --bins
    @exec "{{built}}/release/posthouse-bench" board "$@"

# Measure the egress proxy beside a plain TCP relay: [--quick] [--markdown] [--strict]
bench-egress *ARGS:
    cargo build --release --bin posthouse-bench --bin posthouse-egress
    @exec "{{built}}/release/posthouse-bench" egress "$@"

# What one instance of ingest brings into Redis from each broker: --case amqp, --quick, --strict
bench-ingest *ARGS: kafka
    cargo build --release --bin posthouse-bench --bin posthouse-ingest
    @exec "{{built}}/release/posthouse-bench" ingest "$@"

# Apply pending migrations to DATABASE_URL
migrate:
    cargo run --quiet --bin posthouse -- migrate

# Write schema/src/tables.rs from the migrated DATABASE_URL (needs diesel_cli, which needs libpq)
tables:
    diesel print-schema

"""Against a running system: the metrics that alerts and dashboard ask for, the statement by which KEDA scales, and a backup
restored, and each role started with what deploy/ gives it."""

import contextlib
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import promql_parser

import alerts
from sources import ROLES

START_LIMIT = 120
SHOW_LIMIT = 30
# What Prometheus adds, and what is a bucket's.
ADDED = {"instance", "job", "le"}
# What a system that is well does not show: the words are in jobs/worker/src/delivery/metrics.rs and api/src/metrics.rs.
UNSEEN = {("result", "egress_unavailable"), ("status", "5xx")}
DATABASE, REDIS = "POSTHOUSE_DATABASE_URL", "POSTHOUSE_REDIS_URL"


def check(sources):
    """Runs the demo's system, whose events pass every role, and looks at it."""
    with _system(sources) as system:
        _send_one_that_is_refused(system)
        used = alerts.expressions()
        shown = _wait_until_shown(system, used)
        for where, expression in used:
            _knows(shown, where, expression)
        yield f"the running roles have every metric and label that {len(used)} queries ask for, of {len(shown)} metrics in all"
        _statement_runs(sources, system)
        yield "the statement by which KEDA scales runs, and uses the index made for it"
        _can_be_restored(sources, system)
        yield "a backup is restored as docs/deployment.md says, and its ledger is the same"
        count = _start_all(sources, system)
        yield f"{count} roles start with the settings that Compose, the chart and systemd give them, are ready, and stop"


@contextlib.contextmanager
def _system(sources):
    """The system of `just up` in a folder of its own, as what its run.env says."""
    folder = sources.scratch / "system"
    log = folder.with_suffix(".log")
    kept = {name: value for name, value in os.environ.items() if not re.match(r"POSTHOUSE_|DATABASE_URL$|REDIS_URL$", name)}
    with log.open("w") as output:
        command = [sources.built / "posthouse-demo", "--folder", folder, "up"]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=kept)
    try:
        _until(lambda: "Everything runs until Ctrl-C." in log.read_text(), process, log)
        lines = (folder / "run.env").read_text().splitlines()
        yield dict(line.split("=", 1) for line in (" ".join(shlex.split(line)) for line in lines))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _until(is_so, process, log):
    end = time.monotonic() + START_LIMIT
    while not is_so():
        assert process.poll() is None and time.monotonic() < end, f"the system does not come up:\n{log.read_text()}"
        time.sleep(0.1)


def _get(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:
        return answer.read().decode()


def _send_one_that_is_refused(system):
    """Publishes what is no event over MQTT 3.1.1, so that refusals are counted."""
    url = f"{system['POSTHOUSE_URL']}/api/v1/projects/{system['POSTHOUSE_PROJECT']}/sources"
    found = json.loads(_get(url, {"Authorization": f"Bearer {system['POSTHOUSE_API_KEY']}"}))["data"]["content"]
    mqtt = next(source["pub_sub"]["mqtt"] for source in found if source["type"] == "pub_sub")

    def packet(kind, body):
        assert len(body) < 128
        return bytes([kind, len(body)]) + body

    def text(value):
        return len(value).to_bytes(2, "big") + value.encode()

    with socket.create_connection((mqtt["host"], mqtt["port"]), timeout=10) as broker:
        broker.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("deploy-check")))
        assert broker.recv(4)[3:] == b"\x00", "the broker refuses the connection"
        broker.sendall(packet(0x30, text(mqtt["topic"]) + b"this is no event") + packet(0xE0, b""))


def _scrape(system):
    """The series of all roles: by name, the label sets."""
    series = {}
    for pid in system["POSTHOUSE_PIDS"].split(","):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        probe = words[words.index("--probe-listen" if "--probe-listen" in words else "--listen") + 1]
        for line in _get(f"http://{probe}/metrics").splitlines():
            found = re.match(r"(\w+)(?:\{(.*)\})? ", line)
            if found and not line.startswith("#"):
                series.setdefault(found[1], []).append(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or "")))
    return series


def _selectors(expression):
    found, labels = [], set()

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        modifier = getattr(node, "modifier", None)
        matching = getattr(modifier, "matching", None)
        labels.update(getattr(modifier, "labels", None) or [], getattr(matching, "labels", None) or [])
        labels.update(getattr(modifier, "group_labels", None) or [])

    promql_parser.walk(expression, visit)
    return found, labels


def _wait_until_shown(system, used):
    """A family appears with its first series, so what was just sent may take a moment."""
    names = {selector.name for _, expression in used for selector in _selectors(expression)[0]}
    end = time.monotonic() + SHOW_LIMIT
    while True:
        shown = _scrape(system)
        missing = names - set(shown)
        if not missing:
            return shown
        assert time.monotonic() < end, f"no role has the metrics {sorted(missing)}"
        time.sleep(0.2)


def _knows(shown, where, expression):
    selectors, grouped = _selectors(expression)
    known = set(ADDED)
    for selector in selectors:
        sets = shown[selector.name]
        labels = {label for labels in sets for label in labels}
        known |= labels
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels, f"{where}: {selector.name} has no label {matcher.name}"
            values = {labels.get(matcher.name, "") for labels in sets}
            # Each alternative of a closed set of words; a pattern as a whole.
            words = matcher.value.split("|") if re.fullmatch(r"[\w|]+", matcher.value) else [matcher.value]
            if matcher.op in (promql_parser.MatchOp.NotEqual, promql_parser.MatchOp.NotRe):
                continue
            for word in words:
                is_seen = any(re.fullmatch(word, value) for value in values) or (matcher.name, word) in UNSEEN
                assert is_seen, f"{where}: no {selector.name} has a {matcher.name} of {word}, but {sorted(values)}"
    assert grouped <= known, f"{where}: no metric of it has {sorted(grouped - known)}"


def _statement_runs(sources, system):
    scaled = [document for document in sources.rendered["everything"] if document["kind"] == "ScaledObject"]
    trigger = next(trigger for trigger in scaled[0]["spec"]["triggers"] if trigger["type"] == "postgresql")
    statement = trigger["metadata"]["query"]
    psql = (_postgres("psql"), system["DATABASE_URL"], "--no-psqlrc")
    answer = sources.run(*psql, "--tuples-only", "--no-align", "--command", statement).strip()
    assert re.fullmatch(r"\d+", answer), f"KEDA would get {answer!r}"
    plan = sources.run(*psql, "--command", f"SET enable_seqscan = off; EXPLAIN {statement}")
    assert "next_send_time_idx" in plan, plan


def _postgres(tool):
    """A client program of PostgreSQL: the newest, since one may be older than the server."""
    found = [pathlib.Path(path) for path in (shutil.which(tool),) if path]
    return max([*pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{tool}")] or found)


def _can_be_restored(sources, system):
    url, dump = system["DATABASE_URL"], sources.scratch / "posthouse.dump"
    restored = f"{url.rsplit('/', 1)[0]}/restored"
    sources.run(_postgres("pg_dump"), "--format=custom", f"--file={dump}", url)
    sources.run(_postgres("psql"), url, "--no-psqlrc", "--command", "CREATE DATABASE restored")
    sources.run(_postgres("pg_restore"), f"--dbname={restored}", "--no-owner", dump)
    tool = sources.built / "posthouse"
    sources.run(tool, "--database-url", restored, "migrate")
    before, after = (sources.run(tool, "--database-url", database, "audit", "--json") for database in (url, restored))
    assert before == after and json.loads(after)["accepted"] > 0, f"{before} became {after}"


def _start_all(sources, system):
    """All at once: each has addresses of its own, and keys of its own in Redis, so that it takes nobody's jobs."""
    running = []
    try:
        for number, start in enumerate(start for start in sources.starts if start.command[0] != "posthouse"):
            environment = dict(start.environment) | {"POSTHOUSE_REDIS_PREFIX": f"deploy-check-{number}"}
            for name, value in environment.items():
                if name.endswith("_LISTEN"):
                    environment[name] = f"127.0.0.1:{_free_port()}"
                if (name, value) == ("POSTHOUSE_SMTP_URL", "from a secret"):
                    environment[name] = "smtp://127.0.0.1:1"
                if name == "POSTHOUSE_SECRETS_KEY":
                    environment[name] = "check:" + "00" * 32
            if DATABASE in environment:
                environment |= {DATABASE: system["DATABASE_URL"], REDIS: system["REDIS_URL"]}
                # This Redis speaks no TLS, and files for it would stop a role.
                environment = {name: value for name, value in environment.items() if not name.startswith(("POSTHOUSE_REDIS_CA", "POSTHOUSE_REDIS_TLS"))}
            role = start.command[0].removeprefix("posthouse-")
            assert role in ROLES, start.where
            probe = environment["POSTHOUSE_EGRESS_PROBE_LISTEN" if role == "egress" else f"POSTHOUSE_{role.upper()}_LISTEN"]
            log = sources.scratch / f"start-{number}.log"
            with log.open("w") as output:
                command = [sources.built / start.command[0], *start.command[1:]]
                process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
            running.append((start, probe, log, process))
        for start, probe, log, process in running:
            _until(lambda probe=probe: _is_ready(probe), process, log)
            _get(f"http://{probe}/healthz")
    finally:
        for *_, process in running:
            process.terminate()
        for *_, process in running:
            process.wait(60)
    for start, _, log, process in running:
        assert process.returncode == 0, f"{start.where} ended with {process.returncode}:\n{log.read_text()}"
    return len(running)


def _is_ready(probe):
    try:
        return json.loads(_get(f"http://{probe}/readyz"))["status"] == "ok"
    except OSError:
        return False


def _free_port(given=set()):
    """As e2e/src/ports.rs: never given before, and below what the system takes for the near end of connections."""
    for port in random.sample(range(20_000, 32_000), 500):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            if port not in given:
                given.add(port)
                return port
    raise AssertionError("no port is free on 127.0.0.1")

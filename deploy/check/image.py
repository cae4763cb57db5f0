"""The image and compose.yaml."""

import re
import sys
import pathlib

from sources import ADDITIONS, DEPLOY, ROOT, assignments

# What is in distroless/cc, and what the kernel brings.
LIBRARIES = {"libc", "libgcc_s", "libm", "ld-linux-x86-64", "ld-linux-aarch64", "linux-vdso"}


def check(sources):
    """The Dockerfile, what it is built from, and what Compose makes of the image."""
    tools = pathlib.Path(sys.executable).parent
    dockerfile = DEPLOY / "Dockerfile"
    sources.run(tools / "hadolint", dockerfile)
    text = dockerfile.read_text()
    channel = re.search(r'^channel = "(.+)"$', (ROOT / "rust-toolchain.toml").read_text(), re.M)[1]
    assert f"FROM rust:{channel}-" in text, f"the Dockerfile does not build with Rust {channel}, as rust-toolchain.toml says"
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.M), "the image runs as root, or as a user without a number"
    version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert f"ARG VERSION={version}\n" in text, f"the Dockerfile is not of version {version}"
    members = re.search(r"^members = \[(.+)\]$", (ROOT / "Cargo.toml").read_text(), re.M)[1]
    needed = {member.strip('" ').split("/")[0] for member in members.split(",")} | {"Cargo.toml", "Cargo.lock"}
    sent = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M))
    assert sent == needed, f".dockerignore lets {sorted(sent ^ needed)} through too much or too little"
    for start in sources.starts:
        assert start.command[0] in re.findall(r"target/release/(\S+)", text), f"{start.where}: {start.command[0]} is not in the image"
        loaded = set(re.findall(r"^\s*(?:/\S+/)?([\w-]+)[\w.+-]*\.so", sources.run("ldd", sources.built / start.command[0]), re.M))
        assert loaded <= LIBRARIES, f"{start.command[0]} needs {sorted(loaded - LIBRARIES)}, which the image does not have"
    yield "the Dockerfile is linted, builds every program that is started, and has the libraries that they need"

    files = [DEPLOY / name for name in ("compose.yaml", *ADDITIONS)]
    sources.run(tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)
    whole = sources.compose
    for added in ({}, *sources.additions.values()):
        there = {kind: {*whole[kind], *added.get(kind, {})} for kind in ("services", "networks", "volumes")}
        for name, service in (added or whole)["services"].items():
            for kind in ("networks", "volumes"):
                for used in service.get(kind, []):
                    assert used.split(":")[0] in there[kind], f"{name} uses {used} of {kind}, which is not there"
            for other in service.get("depends_on", {}):
                assert other in there["services"], f"{name} depends on {other}, which is not there"
            for variable in ("ports", "privileged", "network_mode"):
                assert not added or variable not in service, f"an addition to compose.yaml sets {variable} of {name}"
    for name, service in whole["services"].items():
        if name not in ("migrate", "bootstrap"):
            assert "healthcheck" in service, f"{name} has no health check"
    published = {name for name, service in whole["services"].items() if "ports" in service}
    assert published == {"api"}, f"ports of {published} are published"
    inside = {name for name, network in whole["networks"].items() if network.get("internal")}
    for name in ("postgres", "redis", "worker", "scheduler"):
        assert set(whole["services"][name]["networks"]) <= inside, f"{name} is in a network that leads out"
    both = set(whole["services"]["egress"]["networks"]) & set(whole["services"]["postgres"]["networks"])
    assert not both, f"egress reaches PostgreSQL by {both}"
    # Archives are written by who runs the image, into a folder that it has.
    place = re.search(r":-(.+)\}$", sources.additions["compose.backup.yaml"]["services"]["scheduler"]["environment"]["POSTHOUSE_BACKUP_PLACE"])[1]
    assert f"backups:{place}" in sources.additions["compose.backup.yaml"]["services"]["worker"]["volumes"], f"no worker has {place}"
    user = re.search(r"^USER (\S+)$", text, re.M)[1]
    assert f"COPY --from=build --chown={user} {place} {place}\n" in text, f"{place} is not the image's user's"
    asked = set(re.findall(r"\$\{(\w+)", "".join(file.read_text() for file in files))) | {
        name for service in whole["services"].values() for name, value in service.get("environment", {}).items() if value is None
    }
    given = {name for name, _ in assignments(DEPLOY / ".env.example")}
    assert asked == given, f".env.example and compose.yaml differ in {sorted(asked ^ given)}"
    yield "compose.yaml and what can be added to it fit Compose's schema, its networks and .env.example"

"""Every variable and flag that deploy/ and its documents use exists in the binaries."""

import re

from sources import DEPLOY, ROLES, ROOT

# What is Compose's own, and no role's: see .env.example.
COMPOSE_ONLY = {"POSTHOUSE_IMAGE", "POSTHOUSE_API_PORT", "POSTHOUSE_BOARD_PORT", "POSTHOUSE_ORGANISATION", "POSTHOUSE_PROJECT", "POSTHOUSE_BACKUP_INSIDE"}
DOCUMENTS = ("docs/deployment.md", "deploy/README.md", "deploy/.env.example")
SECRET = re.compile(r"(password|secret|token|key)\w*\s*[:=]\s*['\"]?[A-Za-z0-9+/]{16,}", re.I)


def check(sources):
    """Asks each binary for its help."""
    helps = {name: sources.run(sources.built / name, "--help") for name in ("posthouse", *(f"posthouse-{role}" for role in ROLES))}
    known = {name: set(re.findall(r"\[env: (\w+)[\]=]", text)) for name, text in helps.items()}
    everywhere = set().union(*known.values())
    for start in sources.starts:
        binary, *arguments = start.command
        # systemd hands one file to every role.
        allowed = everywhere if start.where.startswith("systemd") else known[binary]
        # The tool leaves what only the roles have, and Compose gives it the same block.
        allowed = everywhere if binary == "posthouse" else allowed
        unknown = set(start.environment) - allowed
        assert not unknown, f"{start.where}: {binary} has no {sorted(unknown)}"
        text = helps[binary]
        if binary == "posthouse":
            text = sources.run(sources.built / binary, *arguments[:1], "--help")
        for flag in (word for word in arguments if word.startswith("--")):
            assert re.search(rf"{flag}[ =\n]", text), f"{start.where}: {binary} has no {flag}"
    yield f"{len(sources.starts)} programs are started with settings that they have"
    for name in DOCUMENTS:
        text = (ROOT / name).read_text()
        unknown = set(re.findall(r"POSTHOUSE_[A-Z_]*[A-Z]", text)) - everywhere - COMPOSE_ONLY
        assert not unknown, f"{name}: no binary has {sorted(unknown)}"
        commands = re.findall(r"posthouse (migrate|bootstrap|keys|users|audit)\b([^\n`|]*)", text)
        for command, rest in commands:
            answer = sources.run(sources.built / "posthouse", command, "--help")
            for flag in re.findall(r"--[a-z-]+", rest):
                assert flag in answer, f"{name}: posthouse {command} has no {flag}"
        for role, rest in re.findall(r"posthouse-(api|worker|scheduler|ingest|egress)((?: --[a-z][^\n`|]*)?)", text):
            for flag in re.findall(r"(?<= )--[a-z-]+", rest):
                assert flag in helps[f"posthouse-{role}"], f"{name}: posthouse-{role} has no {flag}"
    for file in DEPLOY.rglob("*"):
        # These are what a person wrote for this machine, and are not in git.
        if file.is_file() and file.name not in (".env", "backup.env") and "__pycache__" not in file.parts:
            assert not SECRET.search(file.read_text()), f"{file} seems to hold a secret"
    yield "documents name settings and commands that exist, and no file holds a secret"

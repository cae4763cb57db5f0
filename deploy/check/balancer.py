"""The balancer's file, as HAProxy reads it. egress/tests/it/haproxy.rs runs it."""

import pathlib
import re
import shutil

from sources import DEPLOY

FILE = DEPLOY / "haproxy" / "haproxy.cfg"


def check(sources):
    """Debian puts the program where an ordinary user's PATH does not look."""
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    assert pathlib.Path(program).exists(), "haproxy is missing: `just services` installs it"
    said = sources.run(program, "-c", "-f", FILE)
    assert "warning" not in said.lower(), said
    servers = re.findall(r"^    server \S+ \S+:4750 check port 4751$", FILE.read_text(), re.M)
    assert len(servers) == 3, servers
    yield f"HAProxy takes its file, with {len(servers)} instances on egress' ports"

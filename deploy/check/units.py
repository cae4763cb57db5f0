"""The systemd units, as systemd reads them."""

import os
import shutil

from sources import DEPLOY

# Of 100: what is left is the network, and little else.
EXPOSURE_MAX = "15"


def check(sources):
    """systemd-analyze verifies the units in a root of their own, so that no other unit of this machine counts."""
    root = sources.scratch / "root"
    system = next(path for path in (sources.debian / "usr/lib/systemd/system", sources.debian / "lib/systemd/system") if path.is_dir())
    shutil.copytree(system, root / "usr/lib/systemd/system", symlinks=True)
    units = sorted(path for path in (DEPLOY / "systemd").iterdir() if path.suffix in (".service", ".target"))
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / "usr/local/bin").mkdir(parents=True)
    for unit in units:
        shutil.copy(unit, root / "etc/systemd/system")
    for binary in ("posthouse", *(f"posthouse-{role}" for role in ("api", "worker", "scheduler", "ingest", "egress"))):
        program = root / "usr/local/bin" / binary
        program.touch()
        program.chmod(0o755)
    library = next(sources.debian.rglob("libsystemd-shared-*.so")).parent
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    analyze = sources.debian / "usr/bin/systemd-analyze"
    names = [unit.name for unit in units]
    said = sources.run(analyze, "verify", f"--root={root}", "--man=no", "--recursive-errors=yes", *names, env=environment)
    notes = [line for line in said.splitlines() if any(name in line for name in names)]
    assert not notes, "\n".join(notes)
    services = [name for name in names if name.endswith(".service")]
    for service in services:
        sources.run(
            analyze, "security", "--offline=yes", f"--root={root}", f"--threshold={EXPOSURE_MAX}", "--no-pager", service, env=environment
        )
    wanted = {service for service in services if "WantedBy=posthouse.target" in (DEPLOY / "systemd" / service).read_text()}
    assert wanted == set(services) - {"posthouse-migrate.service"}, f"the target starts {wanted}"
    yield f"{len(names)} units are verified, each service's exposure is at most {EXPOSURE_MAX} of 100"

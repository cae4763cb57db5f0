"""What is checked, read once: the files of deploy/, the chart as Helm renders it, and the settings that each gives a role."""

import dataclasses
import functools
import pathlib
import re
import subprocess

import helm_python
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/posthouse"
ADDITIONS = ("compose.mail.yaml", "compose.backup.yaml")
ROLES = ("api", "worker", "scheduler", "ingest", "egress")

# Everything that can be switched on, and everything off.
FULL = {
    "publicUrl": "https://hooks.example.com",
    "smtp": {"existingSecret": "mail"},
    "backup": {"place": "s3://archives/posthouse", "existingSecret": "store"},
    "scheduler": {"deliveriesRetentionDays": 20, "attemptsRetentionDays": 10, "payloadRetentionDays": 5},
    "tls": {"existingSecret": "certificates"},
    "redis": {"caFile": "ca.pem", "tlsCert": "redis.pem", "tlsKey": "redis.key"},
    "secretsKey": {"existingSecret": "keys"},
    "api": {
        "autoscaling": {"enabled": True},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a/b": "c"}},
        "board": {"url": "https://jobs.example.com"},
        "env": {"POSTHOUSE_API_BODY_BYTES_MAX": 2097152},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "podAnnotations": {"a/b": "c"},
    },
    "worker": {"autoscaling": {"enabled": True, "queueAge": {"enabled": True, "prometheus": "http://prometheus:9090"}}},
    "egress": {"autoscaling": {"enabled": True}, "allow": ["10.20.0.0/16:8443"], "deny": ["198.51.100.0/24"]},
    "networkPolicy": {
        "database": {"to": [{"ipBlock": {"cidr": "10.0.5.0/24"}}]},
        "board": {"from": [{"podSelector": {}}]},
        "metrics": {"from": [{"namespaceSelector": {}}]},
    },
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
}
BARE = {
    "migrate": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "ingest": {"replicas": 0},
    "api": {"board": {"service": {"enabled": False}}},
    **{role: {"podDisruptionBudget": {"maxUnavailable": None}} for role in ("worker", "scheduler", "egress")},
}
TRACED = {"traces": {"endpoint": "http://collector:4318"}, "networkPolicy": {"collector": {"to": [{"podSelector": {}}]}}}
VARIANTS = {"defaults": {}, "everything": FULL, "bare": BARE, "traced": TRACED}


@dataclasses.dataclass(frozen=True)
class Start:
    """How a program is started: where that is written, its command line, its variables."""

    where: str
    command: tuple
    environment: dict


@dataclasses.dataclass(frozen=True)
class Sources:
    """The files, and the tools that the checks use."""

    built: pathlib.Path
    debian: pathlib.Path
    scratch: pathlib.Path

    def run(self, *command, **options) -> str:
        """What the command prints; it must succeed."""
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    @functools.cached_property
    def compose(self) -> dict:
        """compose.yaml with its merges done."""
        return yaml.safe_load((DEPLOY / "compose.yaml").read_text())

    @functools.cached_property
    def additions(self) -> dict:
        """What can be added to compose.yaml, by the file's name."""
        return {name: yaml.safe_load((DEPLOY / name).read_text()) for name in ADDITIONS}

    @functools.cached_property
    def rendered(self) -> dict:
        """The chart's documents, by variant."""
        with helm_python.Chart.load(CHART) as chart:
            return {name: _documents(chart.render(values, name="ph", namespace="hooks")) for name, values in VARIANTS.items()}

    @functools.cached_property
    def starts(self) -> list:
        """Every program that deploy/ starts, by Compose, Kubernetes or systemd."""
        starts = []
        for name, service in self.compose["services"].items():
            if "posthouse" in service["command"][0]:
                environment = dict(service["environment"])
                for addition in self.additions.values():
                    environment |= addition["services"].get(name, {}).get("environment", {})
                starts.append(Start(f"compose.yaml, {name}", _words(service["command"]), _interpolated(environment)))
        for variant, documents in self.rendered.items():
            for document in documents:
                for container in _containers(document):
                    where = f"the chart with {variant}, {document['metadata']['name']}"
                    environment = {entry["name"]: entry.get("value", "from a secret") for entry in container["env"]}
                    starts.append(Start(where, tuple(container["command"]), environment))
        environment = dict(assignments(DEPLOY / "systemd/posthouse.env"))
        for unit in sorted((DEPLOY / "systemd").glob("*.service")):
            text = unit.read_text()
            command = tuple(re.search(r"^ExecStart=(.+)$", text, re.M)[1].split())
            unset = re.findall(r"^UnsetEnvironment=(.+)$", text, re.M)
            kept = {name: value for name, value in environment.items() if name not in " ".join(unset).split()}
            starts.append(Start(f"systemd, {unit.name}", (pathlib.Path(command[0]).name, *command[1:]), kept))
        return starts


def _documents(rendered: dict) -> list:
    texts = [text for path, text in rendered.items() if not path.endswith(".txt")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def _containers(document: dict) -> list:
    return document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


def _words(command: list) -> tuple:
    return tuple(_filled(word) for word in command)


def _filled(text: str) -> str:
    """Compose's ${NAME:-default} and ${NAME:?message} with the values that .env.example shows."""
    shown = dict(assignments(DEPLOY / ".env.example"))
    return re.sub(r"\$\{(\w+)(?::[-?][^}]*)?\}", lambda found: shown.get(found[1]) or "secret", text)


def _interpolated(environment: dict) -> dict:
    return {name: _filled(f"${{{name}}}" if value is None else str(value)) for name, value in environment.items()}


def assignments(file: pathlib.Path) -> list:
    """The lines of an environment file, those included that are only shown."""
    return re.findall(r"^#?([A-Z_]+)=(.*)$", file.read_text(), re.M)

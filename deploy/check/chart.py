"""The chart: as Helm lints and renders it, and as Kubernetes would read it."""

import json

import helm_python
import kubernetes_validate
import yaml

from sources import BARE, CHART, FULL, ROLES, VARIANTS

# The oldest that the chart allows, and the newest whose schemas are at hand.
KUBERNETES = ("1.30", kubernetes_validate.latest_version())
# Kinds of operators, whose schemas are not at hand: their fields are looked at below.
FOREIGN = {"ScaledObject", "PodMonitor", "PrometheusRule"}


def check(sources):
    """Lint, schemas, and what the documents say of each other."""
    for name, values in VARIANTS.items():
        report = helm_python.lint(CHART, values, strict=True)
        worse = [message for message in report["messages"] if message["severity"] > 1]
        assert not worse and not report["errors"], f"helm lint with {name}: {worse} {report['errors']}"
    count = 0
    for name, documents in sources.rendered.items():
        for document in documents:
            if document["kind"] not in FOREIGN:
                for version in KUBERNETES:
                    _validate(name, document, version)
            count += 1
    yield f"{count} documents of {len(VARIANTS)} variants fit the schemas of Kubernetes {' and '.join(KUBERNETES)}"

    with helm_python.Chart.load(CHART) as loaded:
        _schema_knows(json.loads(CHART.joinpath("values.schema.json").read_text()), loaded.values, "")
        for wrong in ({"replicas": 3}, {"api": {"replicas": -1}}, {"api": {"board": {"url": "jobs.example.com"}}}, {"worker": {"egressUrl": "x"}}, {"database": {"existingSecret": ""}}, {"backup": {"place": "s3://key:secret@bucket"}}, {"scheduler": {"retentionDays": 0}}):
            try:
                loaded.render(wrong, name="ph", namespace="hooks")
            except helm_python.HelmError:
                continue
            raise AssertionError(f"values.schema.json lets {wrong} pass")
    yield "values.schema.json knows every value, and refuses what is not one"

    everything, bare = _by_name(sources.rendered["everything"]), _by_name(sources.rendered["bare"])
    for name, documents in sources.rendered.items():
        for document in documents:
            for pod in _pods(document):
                _is_confined(f"{document['metadata']['name']} with {name}", pod)
    assert not [kind for kind, _ in bare if kind in FOREIGN | {"NetworkPolicy", "Job", "HorizontalPodAutoscaler"}], "bare is not bare"
    _find_certificates(everything, {"api", "worker", "scheduler", "ingest", "migrate"})
    _others_find_the_pods(everything)
    for variant, asked, traces in (("everything", {465, 587, 443}, set()), ("defaults", set(), set()), ("traced", set(), {4318})):
        _policies_are_tight(_by_name(sources.rendered[variant]), asked, traces)
    _days_are_said(everything, bare)
    assert len(everything) > len(bare) and FULL != BARE
    yield "pods are confined, services, budgets and scaling find them, network policies allow what docs/deployment.md says"


def _validate(variant, document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        name = f"{document['kind']} {document['metadata']['name']} with {variant}"
        raise AssertionError(f"{name}, Kubernetes {version}: {list(error.path)}: {error.message}") from None


def _schema_knows(schema, values, path, whole=None):
    """Every default has its place in the schema: a value that is not there could not be set."""
    whole = whole or schema
    if "$ref" in schema:
        schema = whole["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    if not isinstance(values, dict) or schema.get("additionalProperties") is not False:
        return
    unknown = (set(schema["properties"]) ^ set(values)) - {"global"}
    assert not unknown, f"values.yaml and its schema differ in {path or 'the root'}: {sorted(unknown)}"
    for key, value in values.items():
        _schema_knows(schema["properties"][key], value, f"{path}.{key}", whole)


def _by_name(documents):
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def _pods(document):
    template = document.get("spec", {}).get("template")
    return [template["spec"]] if template else []


def _is_confined(where, pod):
    context = pod["securityContext"]
    assert context["runAsNonRoot"] and context["seccompProfile"] == {"type": "RuntimeDefault"}, f"{where}: {context}"
    assert pod["automountServiceAccountToken"] is False, f"{where} has a token"
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"], f"{where}: {context}"
        assert context["capabilities"] == {"drop": ["ALL"]}, f"{where}: {context}"
        assert {"requests", "limits"} <= set(container["resources"]), f"{where} has no resources"


def _find_certificates(everything, users):
    """Whoever speaks to PostgreSQL has the certificates and the keys of secrets, and nobody else."""
    for (_, name), document in everything.items():
        for pod in _pods(document):
            [container] = pod["containers"]
            mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            has = mounts == ["/etc/posthouse/tls"] and "POSTHOUSE_SECRETS_KEY" in {entry["name"] for entry in container["env"]}
            assert has == (name.rsplit("-", 1)[1] in users) and bool(mounts) == has, f"{name}: {mounts}"


def _labels(everything, role):
    return everything["Deployment", f"ph-posthouse-{role}"]["spec"]["template"]["metadata"]["labels"]


def _ports(everything, role):
    container = everything["Deployment", f"ph-posthouse-{role}"]["spec"]["template"]["spec"]["containers"][0]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "probe", f"{role}: {probe}"
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def _others_find_the_pods(everything):
    for (kind, name), document in everything.items():
        spec = document.get("spec")
        if kind == "Service":
            found = [role for role in ROLES if spec["selector"].items() <= _labels(everything, role).items()]
            assert len(found) == 1, f"service {name} finds {found}"
            assert {port["targetPort"] for port in spec["ports"]} <= set(_ports(everything, found[0])), f"service {name}"
        if kind in ("PodDisruptionBudget", "PodMonitor"):
            found = [role for role in ROLES if spec["selector"]["matchLabels"].items() <= _labels(everything, role).items()]
            assert len(found) == (1 if kind == "PodDisruptionBudget" else len(ROLES)), f"{kind} {name} finds {found}"
        if kind == "PodMonitor":
            for endpoint in spec["podMetricsEndpoints"]:
                assert all(endpoint["port"] in _ports(everything, role) for role in ROLES), f"{kind} {name}: {endpoint}"
        if kind in ("HorizontalPodAutoscaler", "ScaledObject"):
            target = everything["Deployment", spec["scaleTargetRef"]["name"]]
            assert "replicas" not in target["spec"], f"{name} and its deployment both say how many there are"
        if kind == "PrometheusRule":
            assert spec == yaml.safe_load((CHART / "files/alerts.yaml").read_text()), f"{kind} {name} is not files/alerts.yaml"
        if kind == "ConfigMap":
            shown = json.loads(document["data"]["posthouse.json"])
            assert shown == json.loads((CHART / "files/dashboard.json").read_text()), f"{kind} {name} is not files/dashboard.json"


def _days_are_said(everything, bare):
    """What is to be kept as long as something else is not said; who exports has the credentials, and nobody else."""
    found = {}
    for name, documents in (("everything", everything), ("bare", bare)):
        [container] = documents["Deployment", "ph-posthouse-scheduler"]["spec"]["template"]["spec"]["containers"]
        days = {entry["name"]: entry.get("value") for entry in container["env"]}
        found[name] = {key: value for key, value in days.items() if key.endswith("_DAYS") or "BACKUP" in key}
        with_secret = [role for role in ROLES if "envFrom" in documents["Deployment", f"ph-posthouse-{role}"]["spec"]["template"]["spec"]["containers"][0]]
        assert with_secret == (["worker"] if name == "everything" else []), f"{name}: {with_secret}"
    assert set(found["everything"]) - set(found["bare"]) == {
        "POSTHOUSE_DELIVERIES_RETENTION_DAYS", "POSTHOUSE_ATTEMPTS_RETENTION_DAYS", "POSTHOUSE_PAYLOAD_RETENTION_DAYS",
        "POSTHOUSE_BACKUP_PLACE", "POSTHOUSE_BACKUP_KEEP_DAYS",
    }, f"{found}"
    assert found["bare"]["POSTHOUSE_AUDIT_LOG_RETENTION_DAYS"] == "365", f"{found}"


def _policies_are_tight(documents, asked, traces):
    backing = {53, 5432, 6379}
    allowed = {
        "api": backing | {4750},
        "worker": backing | {4750} | asked,
        "scheduler": backing,
        "ingest": backing | {443, 1883, 8883, 4222, 5671, 5672, 9092, 9093},
        "migrate": {53, 5432},
        "egress": {53, "any"},
    }
    for role, ports in allowed.items():
        spec = documents["NetworkPolicy", f"ph-posthouse-{role}"]["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"], f"the policy of {role} leaves one way open"
        found = {port["port"] for rule in spec["egress"] for port in rule.get("ports", [{"port": "any"}])}
        assert found == ports | (traces if role != "migrate" else set()), f"{role} may reach {found}"
    egress = documents["NetworkPolicy", "ph-posthouse-egress"]["spec"]
    into = [rule for rule in egress["ingress"] if rule["ports"] == [{"port": 4750}]]
    clients = {peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in into[0]["from"]}
    assert len(into) == 1 and clients == {"api", "worker"}, f"egress is open to {clients}"
    ways = [peer["ipBlock"] for rule in egress["egress"] if "ports" not in rule for peer in rule["to"]]
    closed = {block for way in ways for block in way["except"]}
    assert {"10.0.0.0/8", "169.254.0.0/16", "fc00::/7"} <= closed, f"egress is kept from {closed} only"

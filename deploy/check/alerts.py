"""The alert rules and the dashboard: sound by themselves. What they ask for is compared with running roles in running.py."""

import json

import promql_parser
import yaml

from sources import CHART, DEPLOY

ALERTS = CHART / "files/alerts.yaml"
# What Grafana puts in.
RATE_INTERVAL = "5m"


def check(sources):
    """promtool reads the rules and plays them through; every query of the dashboard parses."""
    promtool = sources.debian / "usr/bin/promtool"
    sources.run(promtool, "check", "rules", "--lint-fatal", ALERTS)
    sources.run(promtool, "test", "rules", DEPLOY / "check/alerts_test.yaml")
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert {"summary", "description"} <= set(rule["annotations"]), rule["alert"]
    yield f"{len(rules)} alerts are played through by promtool"
    board = json.loads((CHART / "files/dashboard.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)), "two panels have one id"
    for panel in board["panels"]:
        assert panel["type"] == "row" or panel["targets"], f"{panel['title']} shows nothing"
    yield f"{len(expressions())} queries of alerts and dashboard parse"


def expressions() -> list:
    """Where each query stands, and the query as it is parsed."""
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    found = [(f"alert {rule['alert']}", rule["expr"]) for rule in rules]
    for panel in json.loads((CHART / "files/dashboard.json").read_text())["panels"]:
        found += [(f"panel {panel['title']}", target["expr"]) for target in panel.get("targets", [])]
    return [(where, promql_parser.parse(text.replace("$__rate_interval", RATE_INTERVAL))) for where, text in found]

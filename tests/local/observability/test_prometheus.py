"""promtool's checks of our configuration, rules and metrics."""

import re
import subprocess
from typing import Any

import httpx
import pytest
import yaml

from tests.local.observability.grafana import OBSERVABILITY, ROOT
from tests.local.observability.prometheus import Prometheus

SCENARIOS = ROOT / "tests" / "local" / "observability" / "alerts.test.yml"
RULES = [
    pytest.param(rule, id=rule["alert"])
    for group in yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def run(*command: object, **keywords: Any) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **keywords)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_configuration_and_the_rules_pass_promtool(promtool: str) -> None:
    output = run(promtool, "check", "config", OBSERVABILITY / "prometheus.yml")
    assert f"{len(RULES)} rules found" in output


@pytest.mark.slow
def test_the_rules_pass_their_scenarios(promtool: str) -> None:
    run(promtool, "test", "rules", SCENARIOS)


def test_the_metrics_of_the_api_pass_promtool(promtool: str, api: str, prometheus: Prometheus) -> None:
    """After traffic, so that every metric has series."""
    assert run(promtool, "check", "metrics", input=httpx.get(f"{api}/metrics", timeout=30).text) == ""


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_scenario_with_and_one_without_an_alert(rule: dict[str, Any]) -> None:
    checks = [
        check for test in yaml.safe_load(SCENARIOS.read_text())["tests"] for check in test["promql_expr_test"]
    ]
    alert_checks = [check for check in checks if check["expr"].startswith("count by (alertname)")]
    firing = [check for check in alert_checks if rule["alert"] in str(check["exp_samples"])]
    assert firing
    assert len(firing) < len(alert_checks), "a rule must not fire in the scenarios that do not expect it"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_summary_description_and_runbook(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert len(annotations["summary"]) <= 100
    assert len(annotations["description"].split()) >= 15
    page, _, anchor = annotations["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(), flags=re.MULTILINE)
    assert f"| `{rule['alert']}` |" in (ROOT / "docs" / "observability.md").read_text()
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [".ci/run", ".github/workflows/ci.yml"])
def test_ci_installs_prometheus_for_these_tests(path: str) -> None:
    assert re.search(r"apt-get install .*\bprometheus\b", (ROOT / path).read_text())

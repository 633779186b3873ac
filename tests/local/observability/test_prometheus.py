"""Prometheus' own tool on our configuration, rules and figures."""

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


def test_promtool_finds_nothing_wrong_with_the_configuration_and_the_rules(promtool: str) -> None:
    said = run(promtool, "check", "config", OBSERVABILITY / "prometheus.yml")
    assert f"{len(RULES)} rules found" in said


@pytest.mark.slow
def test_promtool_plays_every_scenario_of_the_rules(promtool: str) -> None:
    run(promtool, "test", "rules", SCENARIOS)


def test_promtool_finds_nothing_wrong_with_the_figures_of_the_api(
    promtool: str, api: str, prometheus: Prometheus
) -> None:
    """After traffic, so that there are series for every kind of figure."""
    assert run(promtool, "check", "metrics", input=httpx.get(f"{api}/metrics", timeout=30).text) == ""


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_scenario_in_which_it_fires_and_one_in_which_it_does_not(rule: dict[str, Any]) -> None:
    checks = [
        check for test in yaml.safe_load(SCENARIOS.read_text())["tests"] for check in test["promql_expr_test"]
    ]
    everything = [check for check in checks if check["expr"].startswith("count by (alertname)")]
    firing = [check for check in everything if rule["alert"] in str(check["exp_samples"])]
    assert firing
    assert len(firing) < len(everything), "what a scenario does not name must not fire in it"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_what_is_wrong_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert len(said["summary"]) <= 100
    assert len(said["description"].split()) >= 15
    page, _, anchor = said["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(), flags=re.MULTILINE)
    assert f"| `{rule['alert']}` |" in (ROOT / "docs" / "observability.md").read_text()
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [".ci/run", ".github/workflows/ci.yml"])
def test_ci_installs_prometheus_so_that_these_tests_are_not_skipped_there(path: str) -> None:
    assert re.search(r"apt-get install .*\bprometheus\b", (ROOT / path).read_text())

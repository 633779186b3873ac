"""Every alarm and message names a heading that the runbook has."""

import json
import re
from pathlib import Path

import pytest

from cdk.environments import Environment
from tests.fixtures.templates import OPEN, RICH, synthesize

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?:operations\.md|runbook_url\})#([a-z-]+)")
# Where a function builds the link from parts.
ANCHOR = re.compile(r'(?:anchor(?:: str)? ?= ?|\.lines\()"([a-z-]+)"')


def headings() -> set[str]:
    """Return the anchors that GitHub derives from the runbook's headings."""
    found = re.findall(r"^## (.+)$", (ROOT / "docs" / "operations.md").read_text(), flags=re.MULTILINE)
    return {heading.lower().replace(" ", "-") for heading in found}


@pytest.mark.parametrize("environment", [RICH, OPEN], ids=["rich", "open"])
def test_every_alarm_names_a_heading_of_the_runbook(environment: Environment) -> None:
    templates = [template.to_json() for template in synthesize(environment).values()]
    alarms = [
        resource["Properties"]
        for template in templates
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert alarms
    for alarm in alarms:
        assert LINK.search(alarm["AlarmDescription"]), alarm["AlarmDescription"]
    named = {anchor for template in templates for anchor in LINK.findall(json.dumps(template))}
    assert named <= headings()


def test_every_message_of_a_function_names_a_heading_of_the_runbook() -> None:
    sources = [path.read_text() for path in (ROOT / "functions").rglob("*.py")]
    named = {anchor for source in sources for anchor in LINK.findall(source) + ANCHOR.findall(source)}
    assert {"drift", "monitor-failure"} <= named <= headings()

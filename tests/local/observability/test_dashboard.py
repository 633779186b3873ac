"""The dashboard's file is valid for Grafana; checked without Grafana."""

import itertools
import re
from typing import Any

import pytest
import yaml

from tests.local.observability.grafana import OBSERVABILITY, load_dashboard, panels

PROVISIONING = OBSERVABILITY / "grafana" / "provisioning"
PANELS = [pytest.param(panel, id=panel["title"]) for panel in panels(load_dashboard())]
# Panels of Grafana 13; graph, singlestat, table-old and other Angular ones are gone.
TYPES = {"heatmap", "stat", "table", "timeseries"}
COLUMNS = 24


def sources() -> dict[str, str]:
    """Return the type of each provisioned data source by its uid."""
    listed = yaml.safe_load((PROVISIONING / "datasources" / "datasources.yml").read_text())["datasources"]
    return {source["uid"]: source["type"] for source in listed}


def test_the_dashboard_has_a_fixed_uid(dashboard: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z0-9-]{1,40}", dashboard["uid"]), "within Grafana's limit, for a stable URL"
    assert dashboard["schemaVersion"] >= 39
    assert "id" not in dashboard, "an id is specific to one Grafana"
    assert dashboard["title"] and dashboard["description"]


def test_no_two_panels_share_an_id_or_a_title(dashboard: dict[str, Any]) -> None:
    for key in ("id", "title"):
        values = [panel[key] for panel in dashboard["panels"]]
        assert len(values) == len(set(values))


def test_panels_are_within_the_grid_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= COLUMNS
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} overlaps {taken[cell]}"
            taken[cell] = panel["title"]


def test_every_panel_is_under_the_title_of_a_row(dashboard: dict[str, Any]) -> None:
    ordered = sorted(dashboard["panels"], key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]))
    assert ordered == dashboard["panels"], "the file has the order of the screen"
    assert ordered[0]["type"] == "row"
    for row, following in itertools.pairwise(ordered):
        assert row["type"] != "row" or following["type"] != "row", f"nothing is under {row['title']}"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_description_and_provisioned_data_sources(panel: dict[str, Any]) -> None:
    assert panel["type"] in TYPES
    assert len(panel["description"]) >= 20
    used = {(target["datasource"]["uid"], target["datasource"]["type"]) for target in panel["targets"]}
    assert used <= set(sources().items())
    own = panel["datasource"]["uid"]
    assert own == ("-- Mixed --" if len(used) > 1 else next(iter(used))[0])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    if panel["type"] == "timeseries":
        assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_query_has_the_format_of_its_panel(panel: dict[str, Any]) -> None:
    expected = {
        "heatmap": {"heatmap"},
        "table": {"table"},
        "timeseries": {"time_series"},
        "stat": {"time_series", "table"},
    }[panel["type"]]
    assert {target["format"] for target in panel["targets"]} <= expected


def test_a_threshold_of_a_panel_is_that_of_its_alert_rule(dashboard: dict[str, Any]) -> None:
    rules = {
        rule["alert"]: rule["expr"]
        for group in yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    }
    lines = {
        panel["title"]: panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"]
        for panel in panels(dashboard)
        if panel["type"] == "timeseries"
    }
    assert f"> {lines['Whole requests']}" in rules["SlowPredictions"]
    assert f"> {lines['Novel texts']}" in rules["NoveltyRisen"]


def test_annotations_use_provisioned_data_sources(dashboard: dict[str, Any]) -> None:
    listed = dashboard["annotations"]["list"]
    assert {"Alerts", "Deployments"} == {each["name"] for each in listed}
    assert all(each["datasource"]["uid"] in sources() for each in listed)


def test_the_provider_reads_the_folder_of_the_dashboard() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "dashboards.yml").read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "$DASHBOARDS"
    assert not provider["allowUiUpdates"], "changes in the user interface would be lost"


def test_passwords_come_from_the_environment() -> None:
    for source in yaml.safe_load((PROVISIONING / "datasources" / "datasources.yml").read_text())[
        "datasources"
    ]:
        for value in source.get("secureJsonData", {}).values():
            assert re.fullmatch(r"\$[A-Z_]+", value)

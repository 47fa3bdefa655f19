"""The dashboard and the rules: in shape, and about metrics that there are."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.monitoring import (
    DASHBOARD,
    PROMTOOL,
    RULES,
    RULES_TEST,
    dashboard,
    dashboard_expressions,
    known_metrics,
    metrics_in,
    panels,
    rule_names,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool here")


def promtool(*arguments: object) -> None:
    argv = [str(PROMTOOL), *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_rules_are_sound() -> None:
    promtool("check", "rules", RULES)


@needs_promtool
def test_each_alert_fires_when_it_should_and_none_when_all_is_well() -> None:
    promtool("test", "rules", RULES_TEST)


@needs_promtool
def test_every_expression_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    expressions = dashboard_expressions()
    rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions)]
    place = tmp_path / "dashboard.yml"
    place.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", place)


def test_every_alert_is_tested() -> None:
    tested = set(re.findall(r'alertname="(\w+)"', RULES_TEST.read_text("utf-8")))
    assert tested == set(rule_names("alert"))


def test_alerts_compare_recorded_values_that_are_all_used() -> None:
    text = RULES.read_text("utf-8")
    alerts = text[text.index("muninn-alerts") :]
    used = set(re.findall(r"muninn:\w+:\w+", alerts))
    assert used == set(rule_names("record"))


@pytest.mark.parametrize("place", [RULES, RULES_TEST, DASHBOARD], ids=lambda path: path.name)
def test_only_metrics_that_there_are_are_spoken_of(place: Path) -> None:
    assert metrics_in(place.read_text("utf-8")) - known_metrics() == set()


def test_every_metric_but_those_about_itself_is_on_the_dashboard() -> None:
    shown = metrics_in(DASHBOARD.read_text("utf-8"))
    assert known_metrics() - shown == {"muninn_build_info", "muninn_jobs_queued_max"}


def test_every_metric_and_alert_is_explained() -> None:
    text = DOCUMENT.read_text("utf-8")
    names = [*known_metrics(), *rule_names("alert")]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_dashboard_has_the_shape_that_grafana_reads() -> None:
    board = dashboard()
    assert board["schemaVersion"] >= 36
    assert board["uid"] == "muninn"
    assert "id" not in board, "an id is of one Grafana alone"
    (variable,) = board["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    source = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in panels():
        assert panel["title"]
        assert panel["datasource"] == source, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert [target["datasource"] for target in panel["targets"]] == [source] * len(
            panel["targets"]
        )


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells

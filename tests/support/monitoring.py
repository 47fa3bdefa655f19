"""The dashboard and the rules of docs/monitoring, taken apart; and a real Prometheus."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import requests

from common.metrics.definitions import ALL
from common.metrics.exposition import exposition
from common.metrics.store_state import StoreState
from common.store.queue_state import QueueState
from tests.support.processes import HOST, Process, free_port
from tests.support.scraping import Scrape
from tests.support.waiting import wait_until

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
RULES, RULES_TEST = FOLDER / "rules.yml", FOLDER / "rules_test.yml"
DASHBOARD = FOLDER / "grafana-dashboard.json"
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")

_NAME = re.compile(r"\bmuninn_[a-z_]+\b")

CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: muninn
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ["{target}"]}}]
"""


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return loaded


def panels() -> list[dict[str, Any]]:
    """Those that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> list[str]:
    """Each as Grafana would send it."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "1m") for expression in found]


def rule_names(kind: str) -> list[str]:
    """The names of the rules of a kind: ``alert`` or ``record``."""
    return re.findall(rf"^ +- {kind}: (\S+)$", RULES.read_text("utf-8"), re.MULTILINE)


def metrics_in(text: str) -> set[str]:
    """The metrics that a text names, without what a histogram's samples have at the end."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in _NAME.findall(text)}


def known_metrics() -> set[str]:
    """All there are."""
    state = StoreState(QueueState(0, 0, 0, None, 0), 0)
    told = Scrape(exposition({}, None, (state, 1))[0].decode())
    ours = {name for name in told.names() if name.startswith("muninn_")}
    return ours | {definition.name for definition in ALL}


class Prometheus:
    """A real one on loopback, with our rules, that scrapes one target every second."""

    def __init__(self, folder: Path, target: str, token: str) -> None:
        config, port = folder / "prometheus.yml", free_port()
        config.write_text(CONFIG.format(rules=RULES, token=token, target=target))
        argv = [
            str(PROMETHEUS),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={HOST}:{port}",
        ]
        self.root = f"http://{HOST}:{port}"
        self.process = Process("prometheus", argv, folder / "prometheus.log")
        wait_until(self._is_ready, "Prometheus is ready")

    def _is_ready(self) -> bool:
        assert self.process.is_running(), self.process.log_text()
        try:
            return requests.get(f"{self.root}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False

    def get(self, path: str, **query: str) -> Any:
        answer = requests.get(f"{self.root}/api/v1/{path}", params=query, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def has_data(self, expression: str) -> bool:
        return bool(self.get("query", query=expression)["result"])

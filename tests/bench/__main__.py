"""``python -m tests.bench``: measure, print the table, and keep the figures."""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.chart import chart
from tests.bench.rounds import FULL, QUICK, Extent, measures, run_rounds, say
from tests.bench.stage import Peer, Stage
from tests.bench.table import as_json, figures_table, headroom_table, targets_table
from tests.bench.usage import ProcessTree

MEASURED_WITH = ("muninn", "granian", "flask", "requests", "celery", "redis", "orjson", "pydantic")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it runs")
    parser.add_argument("--rounds", type=int, help=f"default: {FULL.rounds}; with --quick 1")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="cases, by beginning")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="draw the targets there")
    parser.add_argument("--folder", type=Path, help="where logs and data go; default: a new one")
    peer = parser.add_argument_group("a peer that is already running, on the same mock provider")
    peer.add_argument("--peer", metavar="URL", help="such as http://127.0.0.1:4000/v1")
    peer.add_argument("--peer-pid", type=int, help="to read its processor time, and to pin it")
    peer.add_argument("--peer-model", default="bench", help="default: bench")
    peer.add_argument("--mock-port", type=int, help="where the peer expects the mock provider")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    extent = _extent(given)
    if given.list:
        print("\n".join(measures(extent)))
        return 0
    folder = given.folder or Path(tempfile.mkdtemp(prefix="muninn-bench-"))
    say(f"logs in {folder}")
    with Stage(folder, given.mock_port, _peer(given)) as stage:
        figures = run_rounds(stage, extent, given.only)
    print(figures_table(figures), headroom_table(figures), targets_table(figures), sep="\n\n")
    if given.json:
        about = {"machine": _machine(), "versions": _versions(), "rounds": extent.rounds}
        given.json.write_text(json.dumps(as_json(figures, about), indent=1), "utf-8")
    if given.chart:
        given.chart.write_text(chart(figures), "utf-8")
    return 0


def _extent(given: argparse.Namespace) -> Extent:
    extent = QUICK if given.quick else FULL
    return replace(extent, rounds=given.rounds) if given.rounds else extent


def _peer(given: argparse.Namespace) -> Peer | None:
    if not given.peer:
        return None
    parts = urlsplit(given.peer)
    tree = ProcessTree(given.peer_pid) if given.peer_pid else None
    return Peer(parts.port or 80, parts.path.rstrip("/") + "/responses", given.peer_model, tree)


def _machine() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in MEASURED_WITH}


if __name__ == "__main__":
    sys.exit(main())

"""Looks the pinned versions up among the known vulnerabilities, with pip-audit.

Ends with 1 for a vulnerability that is known. Where the data cannot be reached, it says so in one
line and ends with 0: being offline is no fault of the code. The arguments, if any, are the command
to be used as pip-audit.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PINS = Path(__file__).parents[1] / "constraints.txt"
# For a look whether there is data at all, and for the whole.
PROBE_SECONDS, AUDIT_SECONDS = 8, 180
OPTIONS = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--timeout=4", "--format=json"]


def audited(command: list[str], pins: list[str], seconds: float) -> dict[str, list[str]] | None:
    """The ids of the known vulnerabilities of each pin; None when not all could be looked up."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(pins))
        requirements.flush()
        argv = [*command, *OPTIONS, "--requirement", requirements.name]
        try:
            ended = subprocess.run(argv, capture_output=True, timeout=seconds, check=False)
            found = json.loads(ended.stdout)["dependencies"]
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
            return None
    if len(found) < len(pins) or any("vulns" not in each for each in found):
        return None
    return {f"{each['name']} {each['version']}": [v["id"] for v in each["vulns"]] for each in found}


def main(command: list[str]) -> int:
    pins = [line for line in PINS.read_text("utf-8").splitlines() if line and line[0] != "#"]
    known = audited(command, pins[:1], PROBE_SECONDS)
    if known is not None:
        known = audited(command, pins, AUDIT_SECONDS)
    if known is None:
        print("pip-audit is left out: its data on vulnerabilities cannot be reached from here.")
        return 0
    bad = {pin: ids for pin, ids in known.items() if ids}
    for pin, ids in bad.items():
        print(f"{pin}: {', '.join(ids)}", file=sys.stderr)
    print(f"pip-audit: {len(known)} packages, {len(bad)} with known vulnerabilities.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [sys.executable, "-m", "pip_audit"]))

"""``python -m tests.chaos``: a full run with a printed report; exit code 1 when a promise broke."""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.plan import random_plan, short_plan
from tests.chaos.report import in_words, numbers
from tests.chaos.run import run, say


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, printed")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=150.0, help="how long jobs are submitted")
    parser.add_argument("--gap-seconds", type=float, default=5.0, help="between faults, on average")
    parser.add_argument("--lease-seconds", type=float, default=3.0)
    parser.add_argument("--short", action="store_true", help="one of each fault, in 10 s")
    parser.add_argument("--json", type=Path, help="write the report there too")
    parser.add_argument("--folder", type=Path, help="where logs and data go; default: a new one")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    folder = given.folder or Path(tempfile.mkdtemp(prefix="muninn-chaos-"))
    say(f"seed {seed}; logs in {folder}")
    if given.short:
        plan = short_plan(min(given.jobs, 120), seed)
    else:
        plan = random_plan(
            given.jobs,
            seed,
            given.seconds,
            given.workers,
            given.lease_seconds,
            given.gap_seconds,
        )
    verdict = run(plan, folder)
    print(f"seed                               {seed}")
    print(in_words(verdict))
    if given.json:
        given.json.write_text(json.dumps({"seed": seed, **numbers(verdict)}, indent=2), "utf-8")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())

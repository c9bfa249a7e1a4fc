"""Measure all boards, round by round, and write the page.

python -m tests.bench             # several minutes; writes docs/benchmarks.md
python -m tests.bench --quick     # does it all work? prints the page, writes nothing
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from tests.bench import endurance, ours, page, rivals, runtime, sessions
from tests.bench.cores import apart
from tests.bench.plan import FILE_BYTES, FULL, QUICK, Counts

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"

LONGEST = 1200.0
"""Seconds until a run counts as hung: the bare link has no deadlines."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions; writes no page")
    parser.add_argument("--json", action="store_true", help="print all figures as data")
    parser.add_argument("--board", choices=FILE_BYTES, action="append", help="only this one")
    arguments = parser.parse_args()
    if not all(map(find_spec, ("belay", "mpremote", "thespian"))):
        parser.error('the rivals are missing; install them: pip install "klemheist[bench]"')
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    began = monotonic()
    found = None if arguments.board else runtime.measure(quick=arguments.quick)
    costs = [] if arguments.board else list(sessions.lines(0.02 if arguments.quick else 1.0))
    endured = None if arguments.board else endurance.measure(0.1 if arguments.quick else 1.0)
    boards = run(QUICK if arguments.quick else FULL, arguments.board or list(FILE_BYTES))
    if arguments.json:
        data = page.as_data(boards) | ({} if found is None else runtime.as_data(found))
        data |= sessions.as_data(costs) | ({} if endured is None else endurance.as_data(endured))
        sys.stdout.write(json.dumps(data, indent=1))
        return
    more = [] if found is None else [*runtime.render(found), *sessions.render(costs)]
    more += [] if endured is None else endurance.render(endured)
    text = page.render(boards, (monotonic() - began) / 60, more)
    sys.stdout.write(text)
    if not arguments.quick and not arguments.board:
        PAGE.write_text(text, encoding="utf-8")


def run(counts: Counts, urls: list[str]) -> dict[str, ours.Results]:
    boards = {url: ours.Results() for url in urls}
    for number in range(counts.rounds):
        for url, results in boards.items():
            sys.stderr.write(f"round {number + 1} of {counts.rounds}: {url}\n")
            with apart():
                ours.measure_calls(url, FILE_BYTES[url], counts, results)
                rivals.measure(url, FILE_BYTES[url], counts, results)
            ours.measure_boots(url, counts, results)
    return boards


if __name__ == "__main__":
    main()

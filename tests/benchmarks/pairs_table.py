"""Print what `pairs.py` measured as a table in Markdown.

    python -m tests.benchmarks.pairs_table AGAINST FILE...

FILE is a `cells.jsonl`. Told are the cells' nDCG@10 on people's test questions with 95 %
intervals, and how far each is from the cell named AGAINST of the same documents, and of the same
generator where cells are named `GENERATOR RULE` and AGAINST is a rule, question by question.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tasks.core.statistics import Interval, paired_bootstrap

HEAD = "| documents | cell | queries | nDCG@10 | against the base | against `{}` |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("against")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    for file in options.files:
        for line in file.read_text().splitlines():
            row = json.loads(line)
            if row["group"] == "test human":
                cells[Path(row["data"]).name, row["cell"]] = row  # of two runs the later
    sys.stdout.write(HEAD.format(options.against) + "\n| --- | --- | ---: | ---: | --- | --- |\n")
    for (data, name), row in cells.items():
        generator, _, rule = name.rpartition(" ")
        other = cells.get((data, f"{generator} {options.against}".strip()))
        paired = ""
        if other is not None and rule != options.against:
            paired = tell(paired_bootstrap(row["values"], other["values"]))
        told = f"{row['tuned'][0]:.3f}", tell(Interval(*row["difference"])), paired
        line = " | ".join((data, name, f"{row['facts']['mined']['queries']:,}", *told))
        sys.stdout.write(f"| {line} |\n")


def tell(interval: Interval) -> str:
    """Write a difference with its interval."""
    return f"{interval.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


if __name__ == "__main__":
    main()

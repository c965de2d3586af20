"""Print how many checks each public text estimator passes."""

from __future__ import annotations

import sys
from collections import Counter

from tweetclf.testing.battery import CheckResult, check_text_estimator
from tweetclf.testing.catalogue import public_estimators


def main(names: list[str]) -> int:
    """Run the battery on the named estimators, by default on all.

    Parameters
    ----------
    names : list of str
        Names of entries of the catalogue; none means all.

    Returns
    -------
    int
        0 if no check failed, else 1; 2 if a name is unknown.
    """
    entries = {entry.name: entry for entry in public_estimators()}
    unknown = sorted(set(names) - set(entries))
    if unknown:
        sys.stderr.write(f"Unknown: {unknown}. Known: {', '.join(entries)}.\n")
        return 2
    header = ("estimator", "kind", "passed", "skipped", "failed", "s")
    sys.stdout.write("{:<32} {:<12} {:>6} {:>7} {:>6} {:>6}\n".format(*header))
    failures: list[CheckResult] = []
    for name in names or entries:
        entry = entries[name]
        results = check_text_estimator(
            entry.estimator,
            kind=entry.kind,
            name=name,
            make_rows=entry.make_rows,
            on_fail="collect",
        )
        n = Counter(result.status for result in results)
        seconds = sum(result.seconds for result in results)
        sys.stdout.write(
            f"{name:<32} {entry.kind:<12} {n['passed']:>6} {n['skipped']:>7} "
            f"{n['failed']:>6} {seconds:>6.1f}\n"
        )
        sys.stdout.flush()
        failures += [result for result in results if result.status == "failed"]
    for result in failures:
        sys.stdout.write(f"FAILED {result.message}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

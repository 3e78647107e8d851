"""The claims that tests can show, run one by one. Run cluster/claims, which builds what this needs."""

import argparse
import pathlib
import re
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "Sources/lethe/lethe.docc/LedgerOfClaims.md"
ROW = re.compile(r"^\| (\w[\w ]*) \| (.+?) \| test \| (.+?) \|$", re.MULTILINE)


def claims():
    """Name, sentence and test filters of each claim, in the order of the page."""
    found = [(name, says, re.findall(r"`([^`]+)`", evidence)) for name, says, evidence in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    if not found or not all(filters for _, _, filters in found):
        sys.exit(f"{PAGE}: no claims with tests are found there")
    return found


def run(filters):
    """How many tests ran and whether they passed; every filter must find some."""
    total, passed, output = 0, True, ""
    for test in filters:
        done = subprocess.run(["swift", "test", "-c", "release", "--skip-build", "--filter", test], cwd=REPOSITORY,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        text = done.stdout.decode(errors="replace")
        counts = [int(count) for count in re.findall(r"Test run with (\d+) tests?", text)]
        if done.returncode != 0 or sum(counts) == 0:
            passed = False
            output += text if done.returncode != 0 else f"no test is called {test}\n"
        total += sum(counts)
    return total, passed, output


def main():
    parser = argparse.ArgumentParser(
        prog="cluster/claims", description="Run the evidence behind the claims that tests can show.")
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="names from the page's first column (default: all)")
    wanted = parser.parse_args().claims
    known = claims()
    unknown = [name for name in wanted if name not in [claim[0] for claim in known]]
    if unknown:
        parser.error(f"no such claim: {', '.join(unknown)}; there are {', '.join(claim[0] for claim in known)}")
    fallen = []
    for name, says, filters in known:
        if wanted and name not in wanted:
            continue
        begin = time.monotonic()
        count, passed, output = run(filters)
        print(f"{'holds' if passed else 'FALLS'}  {name:12} {count:4} tests {time.monotonic() - begin:5.0f} s  {says}", flush=True)
        if not passed:
            fallen.append(name)
            print("\n".join(line for line in output.splitlines() if re.search("✘|issue|error|no test", line))[:4000], flush=True)
    print("every claim holds" if not fallen else f"no longer holds: {', '.join(fallen)}")
    return 1 if fallen else 0


try:
    raise SystemExit(main())
except KeyboardInterrupt:
    raise SystemExit(130)

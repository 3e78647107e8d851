"""What a command came to on each host: a line each, a summary, and an exit status that tells partial failure."""

import dataclasses
import json
import sys

# As lethe's own (its page "Exit status"): 75 means that the same command again goes on where this one could not.
SUCCESS, FAILED, USAGE, BAD_INPUT, UNREACHABLE, PARTLY = 0, 1, 64, 65, 69, 75


@dataclasses.dataclass
class Outcome:
    host: str
    did: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    unreachable: bool = False
    workers: list = dataclasses.field(default_factory=list)
    # Of logs: {"worker": N or None where ssh itself says it, "line": TEXT}.
    log: list = dataclasses.field(default_factory=list)

    @property
    def line(self):
        parts = self.problems and ["FAILED: " + "; ".join(self.problems)]
        return f"{self.host}: " + "; ".join(dict.fromkeys([*parts, *self.did, *self.notes]))

    @property
    def report(self):
        return {"host": self.host, "ok": not self.problems, "unreachable": self.unreachable, "did": self.did,
                "notes": self.notes, "problems": self.problems, "workers": self.workers, "log": self.log}


def exit_status(outcomes):
    failed = [outcome for outcome in outcomes if outcome.problems]
    if not failed:
        return SUCCESS
    if len(failed) < len(outcomes):
        return PARTLY
    return UNREACHABLE if all(outcome.unreachable for outcome in failed) else FAILED


def clusters(outcomes):
    """The clusters that running workers have joined, with a host of each."""
    found = {}
    for outcome in outcomes:
        for worker in outcome.workers:
            if worker["pid"] and worker["cluster"]:
                found.setdefault(worker["cluster"], outcome.host)
    return found


def summary(outcomes):
    failed = [outcome.host for outcome in outcomes if outcome.problems]
    text = f"{len(outcomes)} host{'s' if len(outcomes) != 1 else ''}: {len(outcomes) - len(failed)} as asked"
    if failed:
        names = ", ".join(failed[:20]) + (f" and {len(failed) - 20} more" if len(failed) > 20 else "")
        text += f", {len(failed)} failed: {names}"
    return text


def finish(outcomes, as_json):
    """Prints what is left to print; returns the exit status."""
    status, joined = exit_status(outcomes), clusters(outcomes)
    if len(joined) > 1:
        status = status or PARTLY
    if as_json:
        print(json.dumps({"schema_version": 1, "status": status, "clusters": sorted(joined),
                          "hosts": [outcome.report for outcome in outcomes]}, sort_keys=True))
    if len(joined) > 1:
        print("their workers are of different clusters: " +
              ", ".join(f"{cluster} (on {host})" for cluster, host in joined.items()), file=sys.stderr)
    print(summary(outcomes), file=sys.stderr)
    return status

"""What each command does on one host."""

import dataclasses

import plan
from outcome import Outcome
from remote import HostFailed, view

# A host whose disk or shell hangs is given up; looking takes a moment.
LOOK_SECONDS = 60
# How often a plan is made anew because somebody else has changed what it rests on.
ATTEMPTS = 5


@dataclasses.dataclass(frozen=True)
class Fleet:
    """How hosts are reached, and which of their clusters is meant ('' is the one without a name)."""

    connections: object
    cluster: str
    boot: str = "auto"
    seconds: int = 20

    def look(self, host):
        return view(self.connections.run(host.name, "look", self.cluster, seconds=LOOK_SECONDS))

    def boot_way(self, seen):
        if self.boot in ("off", "keep"):
            return self.boot
        if self.boot == "auto":
            return (seen.boot or ["none"])[0]
        if self.boot not in seen.boot:
            raise HostFailed(f"--boot {self.boot}: it does not run there for this user")
        return self.boot


def guarded(work, host, *arguments):
    """The outcome of `work(…, outcome)`; what goes wrong becomes part of it."""
    outcome = Outcome(host.name)
    try:
        try:
            work(host, *arguments, outcome)
        except HostFailed as failure:
            outcome.unreachable = failure.unreachable
            try:
                read(failure.facts, outcome)
            finally:
                outcome.problems.append(str(failure))
    except OSError as error:
        outcome.problems.append(f"could not be served from here: {error}")
    except (ValueError, LookupError) as error:
        outcome.problems.append(f"its answer is not one that cluster/workers understands ({type(error).__name__}: {error})")
    return outcome


def copy(fleet, host, seen, trees, outcome):
    names = {"programs": "command", "models": "model", "keys": "keys"}
    for tree in trees:
        if (tree.kind, tree.name) in seen.has:
            continue
        try:
            fleet.connections.run(host.name, "receive", tree.kind, tree.name, tree.digest, tree.bytes, tree=tree)
        except HostFailed as failure:
            raise HostFailed(f"the {names[tree.kind]}: {failure}", failure.unreachable) from failure
        outcome.did.append(f"copied the {names[tree.kind]} ({max(1, round(tree.bytes / 1e6))} MB)")


def start(fleet, asked):
    def work(host, outcome):
        seen = fleet.look(host)
        # Before anything is copied: nothing changes where another cluster is at home.
        plan.start(asked, seen, host, fleet.cluster)
        fleet.boot_way(seen)
        if seen.missing:
            fleet.connections.run(host.name, "packages")
            outcome.did.append("installed " + " ".join(seen.missing))
        copy(fleet, host, seen, asked.trees, outcome)
        seen = apply(fleet, host, seen, lambda view: plan.start(asked, view, host, fleet.cluster), outcome)
        for worker in seen.workers.values():
            if worker.runs and f"worker-{worker.number} " not in " ".join(outcome.did + outcome.problems):
                tell(worker, outcome)
        fleet.connections.run(host.name, "sweep", "programs", "keys")
    return lambda host: guarded(work, host)


def apply(fleet, host, seen, steps_for, outcome):
    """Does what is planned for what was seen. Where somebody else has changed that, it is looked at and planned anew.

    Returns what the plan that was carried out rests on.
    """
    for _ in range(ATTEMPTS):
        steps = steps_for(seen)
        facts = fleet.connections.run(host.name, "apply", fleet.cluster, fleet.boot_way(seen), fleet.seconds, seen.standing,
                                      *steps.steps)
        if facts != [["changed"]]:
            outcome.notes += steps.notes
            read(facts, outcome, dict(steps.restarted))
            return seen
        seen = fleet.look(host)
    raise HostFailed("its workers keep changing: is somebody else starting and stopping them? The same once more goes on")


def read(facts, outcome, restarted=()):
    """Facts of apply, stop and remove."""
    for kind, *parts in facts:
        if kind == "started":
            number, pid, state, said = parts
            why = dict(restarted).get(int(number))
            again = f" again ({why})" if why else ""
            if state == "connected":
                outcome.did.append(f"worker-{number} runs{again} as {pid}")
            elif pid != "0":
                outcome.problems.append(f"worker-{number} runs{again} as {pid} and no coordinator has taken it in yet: {said}")
            else:
                outcome.problems.append(f"worker-{number} does not run: {said}")
        elif kind == "stopped":
            outcome.did.append(f"worker-{parts[0]} stopped" + (" (it did not run any more)" if parts[1:] == ["down"] else ""))
        elif kind == "removed":
            outcome.did.append(f"worker-{parts[0]} and its shards are removed")
        elif kind == "kept":
            outcome.problems.append(f"worker-{parts[0]} was not removed in order: {parts[1]}")
        elif kind == "note":
            outcome.notes.append(" ".join(parts))


def tell(worker, outcome):
    if worker.connection == "lost":
        outcome.problems.append(f"worker-{worker.number} runs as {worker.pid} without a coordinator: {worker.said}")
    else:
        outcome.did.append(f"worker-{worker.number} runs as {worker.pid}")


def status(fleet):
    def work(host, outcome):
        seen = fleet.look(host)
        running = [worker for worker in seen.workers.values() if worker.runs]
        for worker in seen.workers.values():
            outcome.workers.append({"number": worker.number, "pid": worker.pid, "wanted": worker.wanted,
                                    "connection": worker.connection, "cluster": worker.cluster,
                                    "coordinator": worker.option("--coordinator"), "model": worker.option("--model"),
                                    "threads": worker.option("--threads"), "program": (worker.arguments or [None])[0]})
            if worker.runs:
                tell(worker, outcome)
                if seen.current.startswith("programs/") and worker.arguments[0] != f"{seen.home}/.lethe/{seen.current}":
                    outcome.notes.append(f"worker-{worker.number} still runs another lethe than was named last: `restart` brings it")
            elif worker.wanted:
                outcome.problems.append(f"worker-{worker.number} does not run; its log ends: {worker.said}")
            elif worker.kept:
                outcome.notes.append(f"worker-{worker.number} is stopped, its shards are kept")
        if host.count is not None and len(running) != host.count:
            outcome.problems.append(f"{len(running)} of {host.count} run")
        coordinators = sorted({worker.option("--coordinator") or "" for worker in running})
        outcome.notes += [f"for {' and '.join(coordinators)}"] if running else ["no worker runs"] if not outcome.problems else []
        if seen.others:
            outcome.notes.append(f"{seen.others} worker{'s' if seen.others != 1 else ''} of others there")
    return lambda host: guarded(work, host)


def stop(fleet):
    def work(host, outcome):
        read(fleet.connections.run(host.name, "stop", fleet.cluster), outcome)
        if not outcome.did:
            outcome.notes.append("no worker ran")
    return lambda host: guarded(work, host)


def remove(fleet):
    def work(host, outcome):
        read(fleet.connections.run(host.name, "remove", fleet.cluster, host.count or 0), outcome)
        if not (outcome.did or outcome.problems):
            outcome.notes.append("there was nothing to remove")
    return lambda host: guarded(work, host)


def restart(fleet, program, rolling):
    """With `rolling`, one worker after the other; each is back at the coordinator before the next one stops."""
    def work(host, outcome):
        seen = fleet.look(host)
        if program:
            copy(fleet, host, seen, [program], outcome)
        def active(view):
            return sorted(worker.number for worker in view.workers.values() if worker.wanted or worker.runs)

        numbers = active(seen)
        if not numbers:
            outcome.notes.append("no worker runs")
        for some in [[number] for number in numbers] if rolling else [numbers] if numbers else []:
            # One that somebody has stopped meanwhile stays stopped.
            def steps_for(view, some=some):
                return plan.restart(view, [number for number in some if number in active(view)], program)
            apply(fleet, host, seen, steps_for, outcome)
            if outcome.problems:
                return
            if rolling:
                seen = fleet.look(host)
        fleet.connections.run(host.name, "sweep", "programs", "keys")
    return lambda host: guarded(work, host)

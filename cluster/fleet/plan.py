"""What has to happen on a host so that it runs what is asked: a pure function of what it has and runs."""

import dataclasses

from remote import HostFailed


@dataclasses.dataclass(frozen=True)
class Asked:
    """What `start` wants on every host. `trees` are the files for it; `model_name` is the model's path in its tree."""

    coordinator: str
    program: object
    model: object
    model_name: str
    keys: object = None
    # SHA-256 of the coordinator's public key: whose workers these are, wherever the coordinator listens.
    authority: str = ""
    threads: int | None = None
    moved: bool = False
    restart: bool = False
    # Also far more workers than a host has cores for.
    many: bool = False

    @property
    def trees(self):
        return [tree for tree in (self.program, self.model, self.keys) if tree]


@dataclasses.dataclass
class Plan:
    """Steps for remote.sh's apply, and what is to be said beside them: (number, why) of workers that start again."""

    steps: list = dataclasses.field(default_factory=list)
    restarted: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)


NAMES = {"--coordinator": "another coordinator address", "--model": "another model", "--threads": "another number of threads",
         "--keys": "another key", "--coordinator-key": "another coordinator's key", "--weight-cache": "other weights"}


def base(view, cluster):
    return f"{view.home}/.lethe" + (f"/clusters/{cluster}" if cluster else "")


def name(host, cluster, number):
    """What lists and logs call the worker: its host, and its number there."""
    plain = "".join(letter if letter.isprintable() and letter != " " else "_" for letter in host.name.rpartition("@")[2])
    end = (f"-{cluster}" if cluster else "") + f"-{number}"
    return plain.encode()[:64 - len(end.encode())].decode(errors="ignore") + end


def command_line(asked, view, host, cluster, number, count):
    root, folder = f"{view.home}/.lethe", base(view, cluster)
    options = ["--coordinator", asked.coordinator, "--model", f"{root}/models/{asked.model.name}/{asked.model_name}",
               "--weight-cache", f"{root}/weights"]
    if asked.keys:
        options += ["--keys", f"{root}/keys/{asked.keys.name}/worker.key",
                    "--coordinator-key", f"{root}/keys/{asked.keys.name}/coordinator.pub"]
    # Workers of one host share its cores by themselves, so that one more of them changes nothing for the others.
    threads = asked.threads or "auto"
    return [f"{root}/programs/{asked.program.name}/lethe", "worker", *options, "--threads", str(threads),
            "--name", name(host, cluster, number), "--data", f"{folder}/worker-{number}"]


def of_another_cluster(worker, asked):
    """A key says whose worker it is; without one the coordinator's address does. Shards of another cluster would be deleted."""
    if asked.moved or not (worker.runs or worker.kept) or not worker.arguments:
        return False
    if worker.authority and asked.authority:
        return worker.authority != asked.authority
    return worker.option("--coordinator") != asked.coordinator


def differences(worker, arguments):
    """In words, what runs otherwise than asked; the program apart."""
    wanted = dict(zip(arguments[2::2], arguments[3::2]))
    found = [NAMES[name] for name in NAMES if worker.option(name) != wanted.get(name)]
    return ["another key"] if found == ["another key", "another coordinator's key"] else found


def start(asked, view, host, cluster):
    """Raises HostFailed where another cluster's workers are in the way."""
    strangers = [worker for worker in view.workers.values() if of_another_cluster(worker, asked)]
    if strangers:
        first = strangers[0]
        raise HostFailed(
            f"{'a worker of' if first.runs else 'shards of'} another cluster ({first.option('--coordinator')}) "
            f"{'runs' if first.runs else 'lie'} there as worker-{first.number}: give this one a --cluster NAME of its own, "
            "remove the other's workers, or say --moved if it is the same cluster at another address")
    most = max(16, 4 * view.cores)
    if host.count is not None and host.count > most and view.cores and not asked.many:
        raise HostFailed(
            f"{host.count} workers on {view.cores} core{'s' if view.cores != 1 else ''}: say --many if that is meant; the number "
            "behind a host is how many, a port of ssh stands in ~/.ssh/config")
    plan = Plan(["use", asked.program.name])
    wanted = [worker.number for worker in view.workers.values() if worker.wanted or worker.runs]
    count = host.count if host.count is not None else max(len(wanted), 1)
    for number in range(1, count + 1):
        worker, arguments = view.workers.get(number), command_line(asked, view, host, cluster, number, count)
        plan.steps += ["ask", number, *arguments, "--"]
        if not worker or not worker.runs:
            plan.steps += ["start", number]
            continue
        reasons = differences(worker, arguments)
        another_program = worker.arguments[0] != arguments[0]
        if reasons or another_program and asked.restart:
            plan.restarted.append((number, ", ".join(reasons + ["another lethe"] * another_program)))
            plan.steps += ["stop", number, "start", number]
        else:
            plan.steps += ["keep", number]
            if another_program:
                plan.notes.append(f"worker-{number} still runs another lethe: `restart` brings the new one")
    for worker in view.workers.values():
        if worker.number > count and (worker.kept or worker.wanted or worker.runs):
            # Also of those that stay stopped: what `remove` tells, it tells the coordinator where it is now.
            plan.steps += ["ask", worker.number, *command_line(asked, view, host, cluster, worker.number, count), "--"]
            plan.steps += ["let-go", worker.number] * (worker.number in wanted)
    return plan


def restart(view, numbers, named=None):
    """The same command lines with the program that is named, else with the one that was named last."""
    plan = Plan(["use", named.name] if named else [])
    for number in numbers:
        arguments = view.workers[number].arguments
        if not arguments:
            raise HostFailed(f"worker-{number}: start workers there once more, so that it is known what to run")
        current = f"programs/{named.name}/lethe" if named else view.current
        program = f"{view.home}/.lethe/{current}" if current.startswith("programs/") else arguments[0]
        plan.steps += ["ask", number, program, *arguments[1:], "--", "stop", number, "start", number]
        plan.restarted.append((number, "asked for"))
    return plan

"""Runs remote.sh on hosts through ssh and reads the facts that it prints."""

import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import threading

SCRIPT = "".join(pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8")
                 for name in ("facts.sh", "services.sh", "remote.sh"))
# A host that hangs is given up after half a minute.
OPTIONS = ["-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"]
# What ssh itself ends with when it could not get there.
UNREACHABLE = 255


class HostFailed(Exception):
    """What went wrong on a host; `facts` are what it had done until then."""

    def __init__(self, message, unreachable=False, facts=()):
        super().__init__(message)
        self.unreachable, self.facts = unreachable, list(facts)


class Connections:
    """Starts ssh, and ends what still runs when the command is interrupted."""

    def __init__(self, may_ask):
        self.options, self.may_ask = OPTIONS + ([] if may_ask else ["-o", "BatchMode=yes"]), may_ask
        self.lock, self.running, self.ended = threading.RLock(), set(), False

    def command(self, host, verb, arguments):
        words = ["sh", "-c", 'script=$1; shift; eval "$script"', "lethe-workers", SCRIPT, verb, *arguments]
        return ["ssh", *self.options, "--", host, shlex.join(words)]

    def start(self, host, verb, *arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE):
        with self.lock:
            if self.ended:
                raise HostFailed("interrupted")
            process = subprocess.Popen(self.command(host, verb, [str(argument) for argument in arguments]), stdin=stdin,
                                       stdout=subprocess.PIPE, stderr=stderr, start_new_session=not self.may_ask)
            self.running.add(process)
        return process

    def run(self, host, verb, *arguments, tree=None, seconds=None):
        """The facts, each a list of its parts; raises HostFailed, also if it takes longer than so many seconds."""
        process = self.start(host, verb, *arguments, stdin=subprocess.PIPE if tree else subprocess.DEVNULL)
        try:
            if tree:
                # What the host says about why it takes no more is worth more than that it does not.
                try:
                    tree.write(process.stdin)
                except BrokenPipeError:
                    pass
                except OSError as error:
                    self.kill(process)
                    raise HostFailed(f"cannot be read here: {error}") from error
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            self.kill(process)
            process.communicate()
            raise HostFailed(f"no answer in {seconds} s", unreachable=True) from error
        except BrokenPipeError:
            output, errors = process.stdout.read(), process.stderr.read()
        finally:
            with self.lock:
                self.running.discard(process)
        # By line feeds alone: what a log says may have other characters that end lines.
        facts = [line.split("\t") for line in output.decode(errors="replace").split("\n") if line]
        if process.wait() != 0:
            said = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
            raise HostFailed(most_telling(said) or f"{verb} ended with status {process.returncode}",
                             process.returncode == UNREACHABLE and not facts, facts)
        return facts

    def end(self):
        with self.lock:
            self.ended = True
            for process in self.running:
                self.kill(process)

    def kill(self, process):
        """With what it has started itself, a proxy for example."""
        try:
            process.kill() if self.may_ask else os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def most_telling(lines):
    """The last line, and the reason before it where a full disk is one."""
    if not lines:
        return ""
    full = next((line for line in lines if "No space left" in line or "quota exceeded" in line.lower()), None)
    return "its disk is full; nothing of the copy was kept" if full else lines[-1].strip()


@dataclasses.dataclass
class Worker:
    """A worker's folder on a host, and what runs or was last asked to run there. `arguments` begins with the program."""

    number: int
    pid: int
    wanted: bool
    kept: bool
    connection: str
    cluster: str
    said: str
    arguments: list = dataclasses.field(default_factory=list)
    # SHA-256 of the coordinator's public key that it uses.
    authority: str = ""

    @property
    def runs(self):
        return self.pid != 0

    def option(self, name):
        return self.arguments[self.arguments.index(name) + 1] if name in self.arguments[:-1] else None


@dataclasses.dataclass
class View:
    """What a host has and what runs there."""

    home: str = ""
    # The program that was named last, below ~/.lethe.
    current: str = ""
    others: int = 0
    # 0: not known.
    cores: int = 0
    # Of all that a plan for its workers rests on.
    standing: str = ""
    boot: list = dataclasses.field(default_factory=list)
    missing: list = dataclasses.field(default_factory=list)
    has: set = dataclasses.field(default_factory=set)
    workers: dict = dataclasses.field(default_factory=dict)


def view(facts):
    seen = View()
    for kind, *parts in facts:
        match kind:
            case "home": seen.home = parts[0]
            case "current": seen.current = parts[0]
            case "others": seen.others = int(parts[0])
            case "cores": seen.cores = int(parts[0])
            case "standing": seen.standing = parts[0]
            case "boot": seen.boot.append(parts[0])
            case "missing": seen.missing.append(parts[0])
            case "has": seen.has.add((parts[0], parts[1]))
            case "worker":
                number, pid, wanted, kept, connection, cluster, said = parts
                seen.workers[int(number)] = Worker(int(number), int(pid), wanted == "yes", kept == "yes", connection, cluster,
                                                   said)
            case "argument": seen.workers[int(parts[0])].arguments.append("\t".join(parts[1:]))
            case "authority": seen.workers[int(parts[0])].authority = parts[1]
    if not seen.home:
        raise HostFailed("it does not answer as a host does: " + " ".join(map(" ".join, facts[:2]))[:200])
    return seen

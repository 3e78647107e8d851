"""Workers on other machines through ssh. Run cluster/workers."""

import argparse
import concurrent.futures
import re
import signal
import subprocess
import sys
import threading

import commands
import hosts
import local_files
from outcome import BAD_INPUT, USAGE, Outcome, finish
from plan import Asked
from remote import Connections

OVERVIEW = """\
Starts, watches, stops and removes workers on other machines through ssh. Those need Debian or Ubuntu of the same release as this
one, and a key that ssh takes without asking (--jobs 1 lets it ask); Swift is not needed there.

  cluster/workers start --coordinator tcp://HOST:7070 [--keys FILE --coordinator-key FILE] [--model PATH] HOST[:N]…
  cluster/workers status | stop | logs HOST…
  cluster/workers restart [--rolling] [--lethe FILE] HOST…
  cluster/workers remove HOST[:N]…

Every command goes on when a host fails, prints a line a host and a summary, and ends with
  0   all hosts are as asked
  1   every host failed
  64  the arguments are wrong
  65  a file that they name cannot be used
  69  no host could be reached
  75  some hosts failed, the others are done: the same command again goes on

`start` makes hosts run what is asked and changes only what differs: it copies command, model and keys where they are not yet there
(by digest), starts workers that do not run, starts those again that have another coordinator address, model, key or number of
threads, and stops those above N. A worker that runs another lethe goes on and is named; `restart --rolling` brings the new one.
Workers come back with their host: by systemd's user units, else by cron, else a line says that they do not. `start --boot off`
takes away what an earlier one has put there for it; `restart` keeps what is there.
"""

EXPLAINED = {
    "start": "Make hosts run workers. HOST:N runs N there; without :N as many as there are, at least one. A host's workers share "
             "its cores and its packed weights.",
    "status": "Show what runs. Not 0 if a worker that should run does not, has no coordinator, or HOST:N has not N.",
    "stop": "Stop workers. Their shards stay on the hosts: started again, they go on with them.",
    "remove": "Stop workers, delete their shards and tell the coordinator so, which has to run. Of HOST:N the first N workers stay.",
    "restart": "Stop and start workers with the command that was named last, by `start` or by `restart --lethe`.",
    "logs": "Print the ends of the workers' logs.",
}


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(USAGE)


def positive(text):
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text):
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 99999")
    return int(text)


def parse(arguments):
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(OVERVIEW, end="", file=sys.stdout if arguments else sys.stderr)
        raise SystemExit(0 if arguments else USAGE)
    command = arguments[0]
    if command not in EXPLAINED:
        print(OVERVIEW + f"\nerror: there is no command {command}", file=sys.stderr)
        raise SystemExit(USAGE)
    parser = Parser(prog=f"cluster/workers {command}", description=EXPLAINED[command])
    parser.add_argument("host", nargs="*", metavar="HOST[:N]", help="an IPv6 address stands in brackets: [fe80::2%%eth0]:4")
    parser.add_argument("--hosts", action="append", default=[], metavar="FILE", help="more hosts, one a line; # begins a comment")
    parser.add_argument("--jobs", type=positive, default=8, help="hosts at a time (default 8)")
    parser.add_argument("--cluster", default="", metavar="NAME", help="for a second cluster on the same hosts: its name there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the lines")
    if command in ("start", "restart"):
        parser.add_argument("--lethe", metavar="FILE", help="the command to copy, with what lies beside it (start: default the "
                            "installed one, else what this repository builds; restart: default none)")
        ways = ["auto", "systemd", "cron", "off"]
        parser.add_argument("--boot", choices=ways if command == "start" else ["keep", *ways],
                            default="auto" if command == "start" else "keep",
                            help="how workers come back with their host: auto is systemd's user units, else cron; off takes away "
                            "what an earlier one has put there (default: start: auto; restart: keep what is there)")
        parser.add_argument("--wait", type=positive, default=20, metavar="SECONDS",
                            help="how long a started worker may take to reach the coordinator (default 20)")
    if command == "start":
        parser.add_argument("--coordinator", required=True, metavar="ENDPOINT", help="where the coordinator listens, seen from the hosts")
        parser.add_argument("--keys", metavar="FILE", help="the workers' key file")
        parser.add_argument("--coordinator-key", metavar="FILE", help="the coordinator's public key file")
        parser.add_argument("--model", metavar="PATH", help="the base model (default: the default model)")
        parser.add_argument("--threads", type=positive, help="of each worker (default: the workers of a host share its cores)")
        parser.add_argument("--restart", action="store_true", help="also start those again that run another lethe")
        parser.add_argument("--many", action="store_true", help="also more than four workers a core")
        parser.add_argument("--moved", action="store_true",
                            help="what looks like another cluster's workers is this one's, whose coordinator has moved")
    if command == "restart":
        parser.add_argument("--rolling", action="store_true",
                            help="one worker at a time; it is back at the coordinator before the next one stops")
    if command == "logs":
        parser.add_argument("--lines", type=positive, default=20, help="of each log (default 20)")
        parser.add_argument("--worker", type=positive, metavar="N", help="only worker N of each host")
        parser.add_argument("--follow", action="store_true", help="go on until interrupted")
    options = parser.parse_intermixed_args(arguments[1:])
    if command == "logs" and options.follow and options.json:
        parser.error("--json prints one object at the end, and --follow has none")
    if not re.fullmatch(r"[a-z0-9]*", options.cluster):
        parser.error("--cluster: a name of small letters and digits")
    if command == "start" and bool(options.keys) != bool(options.coordinator_key):
        parser.error("--keys and --coordinator-key belong together")
    try:
        options.host = hosts.read_all(options.host, options.hosts)
    except hosts.WrongHost as error:
        parser.error(str(error))
    if command == "start" and (empty := next((host for host in options.host if host.count == 0), None)):
        parser.error(f"{empty.name}:0: `stop` stops workers, `remove` deletes them")
    return command, options


def everywhere(work, options):
    """`work` on all hosts, `jobs` at a time; a line each as soon as it is done, the outcomes in the hosts' order."""
    done = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(work, host): host for host in options.host}
        for future in concurrent.futures.as_completed(futures):
            outcome = done[futures[future]] = future.result()
            if not options.json:
                print(outcome.line, flush=True)
    return [done[host] for host in options.host]


def one_by_one(work, options):
    """Stops at the first host that fails: the others go on with what they have."""
    outcomes = []
    for host in options.host:
        failed = next((outcome.host for outcome in outcomes if outcome.problems), None)
        outcome = work(host) if not failed else Outcome(host.name, problems=[f"not touched, because {failed} failed"])
        outcomes.append(outcome)
        if not options.json:
            print(outcome.line, flush=True)
    return outcomes


def logs(fleet, options):
    lock = threading.Lock()

    def read(host, outcome):
        process = fleet.connections.start(host.name, "logs", fleet.cluster, options.lines, options.worker or "all",
                                          "follow" if options.follow else "once", stderr=subprocess.STDOUT,
                                          stdin=subprocess.PIPE if options.follow else subprocess.DEVNULL)
        lines = []
        for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            if options.json:
                outcome.log.append(log_entry(text))
                continue
            lines.append(f"{host.name} {text.replace(chr(9), ': ', 1)}")
            if options.follow:
                with lock:
                    print(lines.pop(), flush=True)
        with lock:
            if lines:
                print("\n".join(lines), flush=True)
        if process.wait() != 0:
            outcome.problems.append("its logs could not be read")
            outcome.unreachable = True

    with concurrent.futures.ThreadPoolExecutor(len(options.host) if options.follow else options.jobs) as pool:
        return list(pool.map(lambda host: commands.guarded(read, host), options.host))


def log_entry(text):
    found = re.fullmatch(r"worker-([0-9]+)\t(.*)", text, re.DOTALL)
    return {"worker": int(found[1]) if found else None, "line": found[2] if found else text}


def asked(options):
    program = local_files.program(options.lethe)
    model, name = local_files.model(options.model)
    keys, authority = local_files.keys(options.keys, options.coordinator_key) if options.keys else (None, "")
    return Asked(options.coordinator, program, model, name, keys, authority, options.threads, options.moved, options.restart,
                 options.many)


def main():
    command, options = parse(sys.argv[1:])
    connections = Connections(may_ask=options.jobs == 1)

    def interrupt(*_):
        # First, so that nobody waits for hosts that are still at work.
        connections.end()
        raise KeyboardInterrupt
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    fleet = commands.Fleet(connections, options.cluster, getattr(options, "boot", "auto"), getattr(options, "wait", 20))
    run = everywhere
    try:
        match command:
            case "start": work = commands.start(fleet, asked(options))
            case "restart":
                program = local_files.program(options.lethe) if options.lethe else None
                work, run = commands.restart(fleet, program, options.rolling), one_by_one if options.rolling else everywhere
            case "status": work = commands.status(fleet)
            case "stop": work = commands.stop(fleet)
            case "remove": work = commands.remove(fleet)
            case "logs": work, run = fleet, logs
        return finish(run(work, options), options.json)
    except local_files.Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        changes = command not in ("status", "logs")
        print("interrupted" + (": hosts finish what they have begun; the same command again goes on" if changes else ""),
              file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

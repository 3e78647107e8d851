"""Hosts that are folders, for the tests of cluster/workers."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
COMMAND = HERE.parent / "workers"
# First: a module of another package may have the name of one of these.
sys.path.insert(0, str(HERE.parent / "fleet"))
# No host of a test speaks to this machine's own systemd or cron.
ABSENT = {"systemctl": "exit 1", "loginctl": "exit 1", "crontab": "exit 1"}
SYSTEMCTL = r"""
echo "$*" >>"$HOME/systemctl"
for unit; do :; done
case "$2" in
    restart) setsid sh "$HOME/.lethe/workers.sh" run "${unit#lethe-worker@}" </dev/null >/dev/null 2>&1 9>&- & ;;
esac
"""
CRONTAB = r"""
case "$1" in
    -l)
        [ ! -e "$HOME/broken" ] || { head -n 1 "$HOME/crontab"; echo "crontab: I/O error" >&2; exit 1; }
        cat "$HOME/crontab" 2>/dev/null || { echo "no crontab for somebody" >&2; exit 1; }
        ;;
    -) cat >"$HOME/crontab.new" && mv "$HOME/crontab.new" "$HOME/crontab" ;;
esac
"""


def memory():
    """A folder in memory where programs may run, so that no test waits for a disk; None if there is none."""
    folder = "/dev/shm"
    return folder if os.access(folder, os.W_OK) and not os.statvfs(folder).f_flag & os.ST_NOEXEC else None


def compiled(folder, version="0.1.0"):
    folder.mkdir()
    compiler = os.environ.get("CC") or shutil.which("clang") or "cc"
    subprocess.run([compiler, f'-DVERSION="{version}"', "-o", str(folder / "lethe"), str(HERE / "fake_lethe.c")], check=True)
    return folder / "lethe"


class FleetTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="lethe-fleet-", dir=memory()))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.lethe, cls.newer = compiled(cls.shared / "old"), compiled(cls.shared / "new", "0.2.0")
        for name, content in {"base.gguf": "weights", "worker.key": "secret", "coordinator.pub": "public",
                              "second.pub": "another public"}.items():
            (cls.shared / name).write_text(content)
        (cls.shared / "other").mkdir()
        (cls.shared / "other/base.gguf").write_text("other weights")
        (cls.shared / "bin").mkdir()
        (cls.shared / "bin/ssh").symlink_to(HERE / "fake_ssh")

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hosts-", dir=self.shared))
        self.addCleanup(self.end_processes)
        self.hosts("a", "b", "c")

    def hosts(self, *names):
        for name in names:
            (self.root / name / "home").mkdir(parents=True)
            (self.root / name / "bin").mkdir()
            for command, text in ABSENT.items():
                self.tool(name, command, text)

    def tool(self, host, name, text):
        file = self.root / host / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def home(self, host):
        return self.root / host / "home/.lethe"

    def processes(self, host):
        """Command lines of the host's workers, by process."""
        found = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().decode(errors="replace").split("\0")
                ended = "State:\tZ" in (entry.parent / "status").read_text()
            except OSError:
                continue
            if words[1:2] == ["worker"] and f"{self.home(host)}/" in " ".join(words) and not ended:
                found[int(entry.parent.name)] = words
        return found

    def end_processes(self):
        for host in sorted(path.name for path in self.root.iterdir()):
            for process in self.processes(host):
                os.kill(process, signal.SIGKILL)

    def cron(self, host):
        """A cron for the host: its command, and a daemon that reads the lines."""
        self.tool(host, "crontab", CRONTAB)
        if not (self.shared / "cron").exists():
            shutil.copy(shutil.which("sleep"), self.shared / "cron")
        daemon = subprocess.Popen([self.shared / "cron", "60"])
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

    def table(self, host):
        return (self.root / host / "home/crontab").read_text()

    @property
    def environment(self):
        return {**os.environ, "FAKE_HOSTS": str(self.root), "PATH": f"{self.shared}/bin:{os.environ['PATH']}"}

    def run_command(self, *arguments):
        done = subprocess.run([COMMAND, *map(str, arguments)], env=self.environment, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments, lethe=None, model="base.gguf", coordinator="tcp://one:7070", authority="coordinator.pub", boot="off"):
        return self.run_command(
            "start", "--lethe", lethe or self.lethe, "--model", self.shared / model, "--coordinator", coordinator, "--keys",
            self.shared / "worker.key", "--coordinator-key", self.shared / authority, "--boot", boot, "--wait", "30", *arguments)

    def option(self, host, name):
        return sorted(words[words.index(name) + 1] for words in self.processes(host).values())

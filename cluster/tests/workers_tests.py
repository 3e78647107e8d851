"""cluster/workers on hosts that are folders: what runs is what is asked, and a host that fails stops nothing but itself."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
COMMAND = HERE.parent / "workers"
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
    -l) cat "$HOME/crontab" 2>/dev/null || exit 1 ;;
    -) cat >"$HOME/crontab.new" && mv "$HOME/crontab.new" "$HOME/crontab" ;;
esac
"""


def compiled(folder, version="0.1.0"):
    folder.mkdir()
    compiler = os.environ.get("CC") or shutil.which("clang") or "cc"
    subprocess.run([compiler, f'-DVERSION="{version}"', "-o", str(folder / "lethe"), str(HERE / "fake_lethe.c")], check=True)
    return folder / "lethe"


class WorkersTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="lethe-fleet-"))
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

    def run_command(self, *arguments):
        environment = {**os.environ, "FAKE_HOSTS": str(self.root), "PATH": f"{self.shared}/bin:{os.environ['PATH']}"}
        done = subprocess.run([COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments, lethe=None, model="base.gguf", coordinator="tcp://one:7070", authority="coordinator.pub", boot="off"):
        return self.run_command(
            "start", "--lethe", lethe or self.lethe, "--model", self.shared / model, "--coordinator", coordinator, "--keys",
            self.shared / "worker.key", "--coordinator-key", self.shared / authority, "--boot", boot, "--wait", "3", *arguments)

    def option(self, host, name):
        return sorted(words[words.index(name) + 1] for words in self.processes(host).values())

    def test_a_refused_host_in_the_middle_stops_no_other(self):
        (self.root / "b/refused").touch()
        status, output, errors = self.start("a", "b", "c:2")
        self.assertEqual(status, 75, errors)
        self.assertEqual([len(self.processes(host)) for host in "abc"], [1, 0, 2])
        self.assertRegex(output, r"(?m)^b: FAILED: b: Permission denied")
        self.assertEqual(errors.strip(), "3 hosts: 2 as asked, 1 failed: b")

    def test_a_host_that_is_down_stops_neither_status_nor_stop(self):
        self.start("a", "c")
        status, output, _ = self.run_command("status", "a", "gone", "c")
        self.assertEqual(status, 75)
        self.assertIn("gone: FAILED: ssh: connect to host gone", output)
        self.assertEqual(len(re.findall("worker-1 runs as", output)), 2)
        status, _, _ = self.run_command("stop", "a", "gone", "c")
        self.assertEqual(status, 75)
        self.assertEqual([len(self.processes(host)) for host in "ac"], [0, 0])

    def test_statuses_tell_nothing_reached_from_all_failed_from_wrong_arguments(self):
        self.assertEqual(self.run_command("status", "gone", "away")[0], 69)
        self.assertEqual(self.start("a", coordinator="tcp://ends:1")[0], 1)
        self.assertEqual(self.start("a", "a:2")[0], 64)
        self.assertEqual(self.start("::1")[0], 64)
        self.assertEqual(self.start("a", model="missing.gguf")[0], 65)
        self.assertEqual(self.run_command("status")[0], 64)
        self.assertEqual(self.run_command("mend", "a")[0], 64)

    def test_what_is_there_is_not_copied_again_and_what_runs_goes_on(self):
        self.assertIn("copied the command", self.start("a:2")[1])
        before = self.processes("a")
        status, output, _ = self.start("a:2")
        self.assertEqual(status, 0)
        self.assertNotIn("copied", output)
        self.assertEqual(self.processes("a"), before)

    def test_a_full_disk_leaves_no_half_copy_and_the_old_command_runs(self):
        self.start("a")
        before = sorted(path.name for path in (self.home("a") / "programs").iterdir())
        self.tool("a", "tar", 'head -c 1000 >lethe; echo "tar: lethe: Cannot write: No space left on device" >&2; exit 2')
        status, output, _ = self.start("a", "b", lethe=self.newer)
        self.assertEqual(status, 75)
        self.assertIn("a: FAILED: the command: its disk is full", output)
        self.assertEqual(sorted(path.name for path in (self.home("a") / "programs").iterdir()), before)
        self.assertEqual(len(self.processes("a")), 1)
        self.assertEqual(subprocess.run([self.home("a") / "lethe", "--version"], capture_output=True, text=True).stdout, "0.1.0\n")

    @unittest.skipUnless(os.getuid() == 0, "a disk that is really full needs the right to mount one")
    def test_a_disk_that_is_really_full_too(self):
        folder = self.home("a")
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", folder])
        large = self.shared / "large.gguf"
        large.write_bytes(os.urandom(400_000))
        status, output, _ = self.start("a", "b", model="large.gguf")
        self.assertEqual(status, 75)
        self.assertIn("a: FAILED: the model: its disk is full", output)
        self.assertEqual(list((folder / "models").iterdir()), [])

    def test_what_arrives_damaged_is_not_taken(self):
        self.tool("a", "tar", '/bin/tar "$@"; for f in */base.gguf base.gguf; do [ ! -e "$f" ] || echo x >>"$f"; done')
        status, output, _ = self.start("a")
        self.assertEqual(status, 1)
        self.assertIn("the model: arrived damaged", output)
        self.assertEqual(list((self.home("a") / "models").iterdir()), [])

    def test_another_clusters_workers_are_not_taken_for_ours(self):
        self.start("a", "b", authority="second.pub", coordinator="tcp://two:7070")
        before = self.processes("a")
        status, output, _ = self.start("a", "c")
        self.assertEqual(status, 75)
        self.assertIn("a: FAILED: a worker of another cluster (tcp://two:7070) runs there as worker-1", output)
        self.assertEqual(self.processes("a"), before)
        # Stopped, its shards are still its own: a worker of this cluster would delete them.
        self.run_command("stop", "b")
        self.assertIn("shards of another cluster (tcp://two:7070) lie there", self.start("b")[1])
        self.assertEqual(self.start("a", "--cluster", "ours")[0], 0)
        self.assertEqual(len(self.processes("a")), 2)
        self.run_command("stop", "a", "--cluster", "ours")
        self.assertEqual(self.processes("a"), before)

    def test_without_keys_the_address_says_whose_workers_they_are(self):
        def start(coordinator, *more):
            return self.run_command("start", "--lethe", self.lethe, "--model", self.shared / "base.gguf", "--boot", "off", "--wait",
                                    "3", "--coordinator", coordinator, *more, "a")
        start("tcp://one:7070")
        self.assertEqual(start("tcp://two:7070")[0], 1)
        self.assertEqual(self.option("a", "--coordinator"), ["tcp://one:7070"])
        self.assertEqual(start("tcp://two:7070", "--moved")[0], 0)
        self.assertEqual(self.option("a", "--coordinator"), ["tcp://two:7070"])

    def test_a_coordinator_that_has_moved_is_followed(self):
        self.start("a:2")
        status, output, _ = self.start("a:2", coordinator="tcp://elsewhere:7070")
        self.assertEqual(status, 0)
        self.assertIn("runs again (another coordinator address)", output)
        self.assertEqual(self.option("a", "--coordinator"), ["tcp://elsewhere:7070"] * 2)

    def test_another_model_under_the_same_name_is_copied_and_run(self):
        self.start("a")
        status, output, _ = self.start("a", model="other/base.gguf")
        self.assertEqual(status, 0)
        self.assertIn("copied the model", output)
        self.assertIn("runs again (another model)", output)
        self.assertEqual([pathlib.Path(path).read_text() for path in self.option("a", "--model")], ["other weights"])

    def test_fewer_workers_are_asked_for_than_run(self):
        self.start("a:2", "--threads", "3")
        status, output, _ = self.start("a:1", "--threads", "3")
        self.assertEqual(status, 0)
        self.assertIn("worker-2 stopped", output)
        self.assertEqual(self.option("a", "--data"), [f"{self.home('a')}/worker-1"])
        self.assertTrue((self.home("a") / "worker-2").is_dir(), "its shards stay")
        self.assertEqual(self.run_command("status", "a:1")[0], 0)
        self.assertEqual(self.run_command("status", "a:2")[0], 1)

    def test_a_host_without_a_number_keeps_the_workers_it_has(self):
        self.start("a:2")
        self.start("a")
        self.assertEqual(len(self.processes("a")), 2)

    def test_another_number_of_threads_is_brought_there(self):
        self.start("a:2", "--threads", "1")
        self.assertIn("another number of threads", self.start("a:2", "--threads", "2")[1])
        self.assertEqual(self.option("a", "--threads"), ["2", "2"])

    def test_an_older_command_is_named_and_replaced_on_request(self):
        self.start("a:2")
        before = self.processes("a")
        status, output, _ = self.start("a:2", lethe=self.newer)
        self.assertEqual((status, self.processes("a")), (0, before))
        self.assertIn("worker-1 still runs another lethe", output)
        self.assertIn("still runs another lethe", self.run_command("status", "a")[1])
        status, output, _ = self.run_command("restart", "--boot", "off", "--rolling", "a")
        self.assertEqual(status, 0, output)
        self.assertEqual({subprocess.run([os.readlink(f"/proc/{process}/exe"), "--version"], capture_output=True, text=True).stdout
                          for process in self.processes("a")}, {"0.2.0\n"})
        self.assertNotIn("another lethe", self.run_command("status", "a")[1])
        self.assertEqual(len(list((self.home("a") / "programs").iterdir())), 1, "the old one is gone")

    def test_a_rolling_restart_stops_where_a_worker_does_not_come_back(self):
        self.start("a", "b", "c")
        arguments = self.home("b") / "worker-1.arguments"
        before = self.processes("c")
        self.tool("b", "setsid", "exit 1")
        self.assertTrue(arguments.exists())
        status, output, _ = self.run_command("restart", "--rolling", "--boot", "off", "--wait", "2", "a", "b", "c")
        self.assertEqual(status, 75)
        self.assertIn("b: FAILED: worker-1 does not run", output)
        self.assertIn("c: FAILED: not touched, because b failed", output)
        self.assertEqual(self.processes("c"), before)

    def test_status_with_a_dead_worker_is_not_0(self):
        self.start("a:2", "b")
        os.kill(min(self.processes("a")), signal.SIGKILL)
        status, output, _ = self.run_command("status", "a", "b")
        self.assertEqual(status, 75)
        self.assertRegex(output, r"(?m)^a: FAILED: worker-\d does not run; its log ends")
        self.assertEqual(self.start("a:2")[0], 0)
        self.assertEqual(self.run_command("status", "a", "b")[0], 0)

    def test_a_worker_that_no_coordinator_takes_in_is_no_success(self):
        status, output, _ = self.start("a", "--wait", "1", coordinator="tcp://silent:7070")
        self.assertEqual(status, 1)
        self.assertIn("no coordinator has taken it in yet", output)
        self.assertEqual(self.run_command("status", "a")[0], 1)

    def test_removing_leaves_the_first_and_says_what_it_could_not(self):
        self.start("a:3")
        status, output, _ = self.run_command("remove", "a:1")
        self.assertEqual(status, 0)
        self.assertIn("worker-3 and its shards are removed", output)
        self.assertEqual(sorted(path.name for path in self.home("a").glob("worker-?")), ["worker-1"])
        self.start("b", "--wait", "1", coordinator="tcp://silent:7070")
        status, output, _ = self.run_command("remove", "a", "b")
        self.assertEqual(status, 75)
        self.assertIn("b: FAILED: worker-1 was not removed in order: error: no coordinator answers", output)
        self.assertTrue((self.home("b") / "worker-1").is_dir())
        self.assertEqual([list((self.home("a") / kind).iterdir()) for kind in ("models", "keys")], [[], []])

    def test_systemd_units_bring_workers_back(self):
        self.tool("a", "systemctl", SYSTEMCTL)
        self.tool("a", "loginctl", "[ \"$1\" != show-user ] || echo yes")
        status, output, _ = self.start("a:2", boot="auto")
        self.assertEqual(status, 0, output)
        self.assertNotIn("come back", output)
        unit = (self.root / "a/home/.config/systemd/user/lethe-worker@.service").read_text()
        self.assertIn("ExecStart=/bin/sh %h/.lethe/workers.sh run %i", unit)
        said = (self.root / "a/home/systemctl").read_text()
        self.assertIn("--user enable --quiet lethe-worker@2", said)
        self.assertEqual(len(self.processes("a")), 2)
        self.run_command("stop", "a")
        self.assertIn("--user disable --quiet lethe-worker@1", (self.root / "a/home/systemctl").read_text())

    def test_a_login_that_ends_the_workers_is_said(self):
        self.tool("a", "systemctl", SYSTEMCTL)
        self.assertIn("loginctl enable-linger", self.start("a", boot="auto")[1])

    def test_cron_brings_workers_back_where_systemd_does_not_run(self):
        self.tool("a", "crontab", CRONTAB)
        self.assertEqual(self.start("a", boot="systemd")[0], 1, "it does not run there")
        # A daemon has to be there that reads the line.
        shutil.copy(shutil.which("sleep"), self.shared / "cron")
        daemon = subprocess.Popen([self.shared / "cron", "60"])
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        self.start("a:2", boot="auto")
        line = (self.root / "a/home/crontab").read_text()
        self.assertEqual(line, '@reboot /bin/sh "$HOME/.lethe/workers.sh" boot\n')
        self.run_command("remove", "a")
        self.assertEqual((self.root / "a/home/crontab").read_text(), "")

    def test_after_a_start_of_the_host_the_wanted_workers_run_and_no_other(self):
        self.start("a:2")
        self.start("a:1", "--cluster", "ours")
        self.start("a:1")
        self.end_processes()
        subprocess.run(["sh", self.home("a") / "workers.sh", "boot"], env={**os.environ, "HOME": str(self.root / "a/home")}, check=True)
        for _ in range(50):
            if len(self.processes("a")) == 2:
                break
            subprocess.run(["sleep", "0.1"])
        self.assertEqual(self.option("a", "--data"), [f"{self.home('a')}/clusters/ours/worker-1", f"{self.home('a')}/worker-1"])

    def test_a_host_that_cannot_bring_them_back_says_so(self):
        self.tool("a", "grep", 'case "$*" in *crond*) exit 1 ;; esac; exec /bin/grep "$@"')
        status, output, _ = self.start("a", boot="auto")
        self.assertEqual(status, 0)
        self.assertIn("do not come back with the host: there is neither systemd for users nor cron", output)

    def test_a_file_of_hosts(self):
        file = self.root.parent / "hosts.txt"
        file.write_text("# the rack\na:2\n\nb   # new\n")
        self.assertEqual(self.start("--hosts", file)[0], 0)
        self.assertEqual([len(self.processes(host)) for host in "ab"], [2, 1])
        self.assertEqual(self.start("--hosts", file, "a")[0], 64)

    def test_logs_say_whose_they_are(self):
        self.start("a:2", "b")
        status, output, _ = self.run_command("logs", "--lines", "1", "a", "b", "gone")
        self.assertEqual(status, 75)
        self.assertIn("a worker-2: info worker: connected to cluster of-tcp://one:7070", output)
        self.assertIn("b worker-1: ", output)

    def test_one_json_object(self):
        self.start("a")
        status, output, _ = self.run_command("status", "--json", "a", "gone")
        report = json.loads(output)
        self.assertEqual((status, report["status"], report["schema_version"]), (75, 75, 1))
        self.assertEqual([host["ok"] for host in report["hosts"]], [True, False])
        self.assertEqual(report["hosts"][0]["workers"][0]["coordinator"], "tcp://one:7070")

    def test_the_key_is_private_and_nobody_else_reads_the_shards(self):
        self.start("a")
        for path in [self.home("a"), *self.home("a").glob("keys/*/worker.key"), *self.home("a").glob("worker-1*")]:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


if __name__ == "__main__":
    unittest.main()

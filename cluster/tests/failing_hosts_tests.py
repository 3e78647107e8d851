"""cluster/workers: a host that fails stops nothing but itself, and the status says so."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest
from unittest import mock

from fleet_support import COMMAND, SYSTEMCTL, FleetTestCase
import commands
import hosts
from remote import Connections, HostFailed


class FailingHostsTests(FleetTestCase):
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

    def test_a_rolling_restart_stops_where_a_worker_does_not_come_back(self):
        self.start("a", "b", "c")
        arguments = self.home("b") / "worker-1.arguments"
        before = self.processes("c")
        self.tool("b", "setsid", "exit 1")
        self.assertTrue(arguments.exists())
        status, output, _ = self.run_command("restart", "--rolling", "--boot", "off", "--wait", "30", "a", "b", "c")
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
        status, output, _ = self.start("a", "--wait", "3", coordinator="tcp://silent:7070")
        self.assertEqual(status, 1)
        self.assertIn("no coordinator has taken it in yet", output)
        self.assertEqual(self.run_command("status", "a")[0], 1)

    def test_removing_leaves_the_first_and_says_what_it_could_not(self):
        self.start("a:3")
        status, output, _ = self.run_command("remove", "a:1")
        self.assertEqual(status, 0)
        self.assertIn("worker-3 and its shards are removed", output)
        self.assertEqual(sorted(path.name for path in self.home("a").glob("worker-?")), ["worker-1"])
        self.start("b", "--wait", "3", coordinator="tcp://silent:7070")
        status, output, _ = self.run_command("remove", "a", "b")
        self.assertEqual(status, 75)
        self.assertIn("b: FAILED: worker-1 was not removed in order: error: no coordinator answers", output)
        self.assertTrue((self.home("b") / "worker-1").is_dir())
        self.assertEqual([list((self.home("a") / kind).iterdir()) for kind in ("models", "keys", "programs")], [[], [], []])

    def test_the_last_worker_leaves_the_host_as_it_was_found(self):
        self.start("a")
        self.start("a", "--cluster", "ours")
        (self.home("a") / "weights").mkdir()
        (self.home("a") / "weights/packed").write_text("weights")
        self.run_command("remove", "a")
        self.assertTrue((self.home("a") / "weights/packed").exists(), "another cluster's worker runs on with them")
        self.assertEqual(len(self.processes("a")), 1)
        self.assertEqual(self.run_command("remove", "a", "--cluster", "ours")[0], 0)
        self.assertEqual([path for path in self.home("a").rglob("*") if not path.is_dir() and path.name != "turn"], [])
        self.assertEqual(self.start("a")[0], 0)

    def test_removing_tells_the_coordinator_where_it_is_now(self):
        self.start("a:2", "--wait", "3", coordinator="tcp://silent:7070")
        self.assertEqual(self.start("a:1")[0], 0)
        self.assertEqual(self.run_command("remove", "a")[0], 0)

    def test_a_host_that_hangs_is_given_up(self):
        self.tool("a", "readlink", "exec sleep 30")
        with mock.patch.dict(os.environ, self.environment):
            with self.assertRaisesRegex(HostFailed, "no answer in 1 s"):
                Connections(may_ask=False).run("a", "look", "", seconds=1)

    def test_an_interrupted_command_ends_at_once(self):
        for host in "abc":
            self.tool(host, "readlink", 'touch "$HOME/asked"; exec sleep 60')
        process = subprocess.Popen([COMMAND, "status", "--jobs", "2", "a", "b", "c"], env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        asked = self.root / "b/home/asked"
        deadline = time.monotonic() + 30
        while not asked.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertTrue(asked.exists(), "host b was never asked")
        process.send_signal(signal.SIGINT)
        self.assertIn(b"interrupted", process.communicate(timeout=20)[1])
        self.assertEqual(process.returncode, 130)

    def test_a_unit_that_waits_to_be_started_again_is_stopped_too(self):
        self.tool("a", "systemctl", SYSTEMCTL)
        self.start("a", boot="systemd")
        self.end_processes()
        self.run_command("stop", "a")
        self.assertIn("--user stop lethe-worker@1", (self.root / "a/home/systemctl").read_text())

    def test_logs_say_whose_they_are(self):
        self.start("a:2", "b")
        status, output, _ = self.run_command("logs", "--lines", "1", "a", "b", "gone")
        self.assertEqual(status, 75)
        self.assertIn("a worker-2: info worker: connected to cluster of-tcp://one:7070", output)
        self.assertIn("b worker-1: ", output)

    def test_a_log_is_followed_no_longer_than_somebody_reads(self):
        self.start("a:2")
        with mock.patch.dict(os.environ, self.environment):
            process = Connections(may_ask=False).start("a", "logs", "", 1, "all", "follow", stdin=subprocess.PIPE)
        self.addCleanup(process.kill)
        said = {process.stdout.readline().split(b"\t")[0] for _ in range(2)}
        self.assertEqual(said, {b"worker-1", b"worker-2"})
        self.assertEqual(len(self.followers("a")), 2)
        # As the connection does when whoever reads is gone; the logs say nothing more.
        process.stdin.close()
        self.assertEqual(process.wait(20), 0)
        deadline = time.monotonic() + 20
        while (left := self.followers("a")) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(left, [])
        process.stdout.close()
        process.stderr.close()

    def followers(self, host):
        """Processes that read the host's logs."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[0] == "tail" and any(word.startswith(f"{self.home(host)}/") for word in words):
                found.append(words)
        return found

    def test_logs_are_part_of_the_one_json_object(self):
        self.start("a:2")
        status, output, _ = self.run_command("logs", "--json", "--lines", "1", "a", "gone")
        there, gone = json.loads(output)["hosts"]
        line = "info worker: connected to cluster of-tcp://one:7070"
        self.assertEqual((status, there["log"]), (75, [{"worker": number, "line": line} for number in (1, 2)]))
        self.assertEqual([entry["worker"] for entry in gone["log"]], [None])
        self.assertEqual(self.run_command("logs", "--json", "--follow", "a")[0], 64)

    def test_an_answer_that_makes_no_sense_is_that_hosts_problem(self):
        self.tool("a", "readlink", r"printf 'gone\nothers\tmany\n'")
        self.start("b")
        status, output, errors = self.run_command("status", "a", "b")
        self.assertEqual(status, 75, errors)
        self.assertIn("a: FAILED: its answer is not one that cluster/workers understands", output)
        self.assertIn("b: worker-1 runs", output)

    def test_without_an_ssh_every_host_fails_in_order(self):
        fleet = commands.Fleet(Connections(may_ask=False), "")
        with mock.patch.dict(os.environ, {"PATH": "/nonexistent"}):
            outcome = commands.status(fleet)(hosts.read("a"))
        self.assertRegex(outcome.line, "a: FAILED: could not be served from here: .*ssh")

    def test_a_log_with_other_ends_of_lines_is_read(self):
        self.start("a")
        with open(self.home("a") / "worker-1.log", "a", encoding="utf-8") as log:
            log.write("strange \x0bhome \x0chome \x1chome \x85home \u2028home\n")
        status, output, errors = self.run_command("status", "a")
        self.assertEqual(status, 0, output + errors)

    def test_one_json_object(self):
        self.start("a")
        status, output, _ = self.run_command("status", "--json", "a", "gone")
        report = json.loads(output)
        self.assertEqual((status, report["status"], report["schema_version"]), (75, 75, 1))
        self.assertEqual([host["ok"] for host in report["hosts"]], [True, False])
        self.assertEqual(report["hosts"][0]["workers"][0]["coordinator"], "tcp://one:7070")


if __name__ == "__main__":
    unittest.main()

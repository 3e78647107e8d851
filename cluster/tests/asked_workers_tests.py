"""cluster/workers: what runs is what is asked, and comes back with its host."""

import os
import pathlib
import subprocess
import time
import unittest

from fleet_support import SYSTEMCTL, FleetTestCase
from remote import Connections

LINE = '@reboot /bin/sh "$HOME/.lethe/workers.sh" boot\n'


class AskedWorkersTests(FleetTestCase):
    def test_what_is_there_is_not_copied_again_and_what_runs_goes_on(self):
        self.assertIn("copied the command", self.start("a:2")[1])
        before = self.processes("a")
        status, output, _ = self.start("a:2")
        self.assertEqual(status, 0)
        self.assertNotIn("copied", output)
        self.assertEqual(self.processes("a"), before)

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
                                    "30", "--coordinator", coordinator, *more, "a")
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
        for program in (self.home("a") / "programs").iterdir():
            os.utime(program, (0, 0))
        status, output, _ = self.run_command("restart", "--boot", "off", "--rolling", "a")
        self.assertEqual(status, 0, output)
        self.assertEqual(self.versions("a"), {"0.2.0"})
        self.assertNotIn("another lethe", self.run_command("status", "a")[1])
        self.assertEqual(len(list((self.home("a") / "programs").iterdir())), 1, "the old one is gone")

    def versions(self, host):
        return {subprocess.run([os.readlink(f"/proc/{process}/exe"), "--version"], capture_output=True, text=True).stdout.strip()
                for process in self.processes(host)}

    def test_going_back_to_a_command_that_is_there_already(self):
        self.start("a:2")
        self.start("a:2", lethe=self.newer)
        self.assertEqual(self.run_command("restart", "--rolling", "a")[0], 0)
        self.assertEqual(self.versions("a"), {"0.2.0"})
        status, output, _ = self.start("a:2")
        self.assertEqual(status, 0, output)
        self.assertNotIn("copied the command", output, "it is still there")
        self.assertIn("worker-1 still runs another lethe", output)
        self.assertEqual(self.run_command("restart", "--rolling", "a")[0], 0)
        self.assertEqual(self.versions("a"), {"0.1.0"})
        self.assertNotIn("another lethe", self.run_command("status", "a")[1])

    def test_going_back_at_once(self):
        self.start("a:2")
        for lethe, version, command in [(self.newer, "0.2.0", ["start", "--restart"]), (self.lethe, "0.1.0", ["start", "--restart"]),
                                        (self.newer, "0.2.0", ["restart"]), (self.lethe, "0.1.0", ["restart", "--rolling"])]:
            with self.subTest(version=version, command=command):
                status, output, _ = (self.start("a:2", "--restart", lethe=lethe) if command[0] == "start" else
                                     self.run_command(*command, "--lethe", lethe, "a"))
                self.assertEqual((status, self.versions("a")), (0, {version}), output)
                self.assertNotIn("another lethe", self.run_command("status", "a")[1])
                # And by itself it brings the same one.
                self.assertEqual(self.run_command("restart", "a")[0], 0)
                self.assertEqual(self.versions("a"), {version})

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
        self.assertEqual(self.start("a", boot="systemd")[0], 1, "it does not run there")
        self.cron("a")
        self.start("a:2", boot="auto")
        self.assertEqual(self.table("a"), LINE)
        self.run_command("remove", "a")
        self.assertEqual(self.table("a"), "")

    def test_after_a_start_of_the_host_the_wanted_workers_run_and_no_other(self):
        self.cron("a")
        self.start("a:2", boot="cron")
        self.start("a:1", "--cluster", "ours", boot="cron")
        self.start("a:1", "--cluster", "off")
        self.start("a:1", boot="cron")
        self.end_processes()
        subprocess.run(["sh", self.home("a") / "workers.sh", "boot"], env={**os.environ, "HOME": str(self.root / "a/home")}, check=True)
        for _ in range(50):
            if len(self.processes("a")) == 2:
                break
            time.sleep(0.1)
        self.assertEqual(self.option("a", "--data"), [f"{self.home('a')}/clusters/ours/worker-1", f"{self.home('a')}/worker-1"])

    def test_a_restart_keeps_how_they_come_back(self):
        self.cron("a")
        self.start("a")
        self.assertEqual(self.run_command("restart", "a")[0], 0)
        self.assertFalse((self.root / "a/home/crontab").exists(), "there was no line before")
        self.start("a", boot="cron")
        self.assertEqual(self.run_command("restart", "a")[0], 0)
        self.assertEqual(self.table("a"), LINE)
        self.assertEqual(self.run_command("restart", "--boot", "off", "a")[0], 0)
        self.assertEqual(self.table("a"), "")

    def test_a_restart_keeps_systemds_units_and_makes_none(self):
        self.tool("a", "systemctl", SYSTEMCTL)
        unit = self.root / "a/home/.config/systemd/user/lethe-worker@.service"
        self.start("a")
        self.assertEqual(self.run_command("restart", "a")[0], 0)
        self.assertFalse(unit.exists())
        self.start("a", boot="systemd")
        (self.root / "a/home/systemctl").unlink()
        self.run_command("restart", "a")
        self.assertTrue(unit.exists())
        self.assertIn("--user restart lethe-worker@1", (self.root / "a/home/systemctl").read_text())
        self.start("a")
        self.assertFalse(unit.exists())
        self.assertIn("--user disable --quiet lethe-worker@1", (self.root / "a/home/systemctl").read_text().splitlines()[-3:])

    def test_boot_off_takes_our_line_away_unless_another_clusters_workers_need_it(self):
        self.cron("a")
        (self.root / "a/home/crontab").write_text("0 3 * * * backup\n")
        self.start("a", boot="cron")
        self.start("a", "--cluster", "ours", boot="cron")
        before = self.processes("a")
        self.start("a")
        self.assertEqual(self.table("a"), "0 3 * * * backup\n" + LINE)
        self.start("a", "--cluster", "ours")
        self.assertEqual(self.table("a"), "0 3 * * * backup\n")
        self.assertEqual(self.processes("a"), before)

    def test_a_table_for_cron_that_cannot_be_read_stays_as_it_is(self):
        self.cron("a")
        lines = "0 3 * * * backup\n0 4 * * * report\n"
        (self.root / "a/home/crontab").write_text(lines)
        (self.root / "a/home/broken").touch()
        status, output, _ = self.start("a", boot="cron")
        self.assertEqual(status, 1)
        self.assertIn("a: FAILED: its crontab cannot be read (crontab: I/O error)", output)
        self.assertEqual((self.table("a"), self.processes("a")), (lines, {}))

    def test_a_home_that_is_reached_through_a_link(self):
        (self.root / "a/home").rename(self.root / "a/disk")
        (self.root / "a/home").symlink_to(self.root / "a/disk")
        self.assertEqual(self.start("a")[0], 0)
        before = self.processes("a")
        self.assertNotIn("another lethe", self.run_command("status", "a")[1])
        self.assertNotIn("another lethe", self.start("a", "--restart")[1])
        self.assertEqual((len(before), self.processes("a")), (1, before))

    def test_a_worker_that_connects_at_once_is_seen(self):
        # The command that starts it comes back when it has said all that it will say.
        self.tool("a", "systemctl", SYSTEMCTL + "\n[ \"$2\" != restart ] || sleep 1")
        status, output, _ = self.start("a", "--wait", "3", boot="systemd")
        self.assertEqual(status, 0, output)

    def test_what_another_operator_has_just_brought_stays(self):
        self.start("a")
        folder = self.home("a") / "keys/of-another"
        folder.mkdir()
        self.start("a")
        self.assertTrue(folder.is_dir())
        os.utime(folder, (time.time() - 660,) * 2)
        self.start("a")
        self.assertFalse(folder.exists())
        for kept in [*self.home("a").glob("keys/*"), *self.home("a").glob("programs/*")]:
            self.assertLess(abs(kept.stat().st_mtime - time.time()), 300, "when it came, not how old it is")

    def test_a_host_that_cannot_bring_them_back_says_so(self):
        self.tool("a", "grep", 'case "$*" in *crond*) exit 1 ;; esac; exec /bin/grep "$@"')
        status, output, _ = self.start("a", boot="auto")
        self.assertEqual(status, 0)
        self.assertIn("do not come back with the host: there is neither systemd for users nor cron", output)

    def test_packages_that_are_missing_are_installed_before_anything_is_copied(self):
        self.tool("a", "dpkg-query", 'for package; do :; done; [ "$package" = libzmq5 ] && exit 1; echo "install ok installed"')
        self.tool("a", "apt-get", 'echo "$*" >>"$HOME/apt"')
        self.tool("a", "sudo", 'shift; exec "$@"')
        status, output, errors = self.start("a")
        self.assertEqual(status, 0, output + errors)
        self.assertIn("installed libzmq5;", output)
        self.assertIn("--no-install-recommends libzmq5", (self.root / "a/home/apt").read_text())
        self.tool("a", "apt-get", 'echo "E: no such package" >&2; exit 100')
        status, output, _ = self.start("a", "b")
        self.assertEqual(status, 75)
        self.assertIn("a: FAILED: packages are missing: libzmq5", output)

    def test_nothing_that_runs_on_a_host_stumbles(self):
        """What the shell complains of stands on standard error, which a success does not show."""
        command = Connections(may_ask=False).command("a", "look", [""])
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=self.environment)
        self.assertEqual(said.stderr, "")
        self.assertIn("home\t", said.stdout)

    def test_a_file_of_hosts(self):
        file = self.root.parent / "hosts.txt"
        file.write_text("# the rack\na:2\n\nb   # new\n")
        self.assertEqual(self.start("--hosts", file)[0], 0)
        self.assertEqual([len(self.processes(host)) for host in "ab"], [2, 1])
        self.assertEqual(self.start("--hosts", file, "a")[0], 64)

    def test_what_is_wrong_in_a_file_of_hosts_is_said_with_its_line(self):
        file = self.root.parent / "wrong-hosts.txt"
        file.write_bytes(b"\xef\xbb\xbfa:2\r\n\r\nb 4\r\n")
        status, _, errors = self.start("--hosts", file)
        self.assertEqual(status, 64)
        self.assertIn(f"--hosts {file}, line 3: b 4: write HOST or HOST:N", errors)
        file.write_bytes(b"\xef\xbb\xbfa:2\r\nb\r\na\r\n")
        self.assertIn(f"--hosts {file}, line 3: a is named twice", self.start("--hosts", file)[2])
        file.write_bytes(b"\xef\xbb\xbfa:2\r\n")
        self.assertEqual(self.start("--hosts", file)[0], 0)
        self.assertEqual(len(self.processes("a")), 2)

    def test_a_port_is_not_taken_for_a_number_of_workers(self):
        self.tool("a", "nproc", "echo 2")
        status, output, _ = self.start("a:22")
        self.assertEqual(status, 1)
        self.assertIn("22 workers on 2 cores: say --many", output)
        self.assertEqual(self.processes("a"), {})
        self.assertEqual(self.start("a:17", "--many")[0], 0)
        self.assertEqual(len(self.processes("a")), 17)

    def test_the_key_is_private_and_nobody_else_reads_the_shards(self):
        self.start("a")
        for path in [self.home("a"), *self.home("a").glob("keys/*/worker.key"), *self.home("a").glob("worker-1*")]:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


if __name__ == "__main__":
    unittest.main()

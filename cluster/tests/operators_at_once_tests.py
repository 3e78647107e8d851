"""cluster/workers, called twice at the same time: each plans for what it finds when it is its turn."""

import concurrent.futures
import os
import unittest
from unittest import mock

from fleet_support import FleetTestCase
from remote import Connections


class OperatorsAtOnceTests(FleetTestCase):
    def at_once(self, *calls):
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    def test_the_same_twice_starts_every_worker_once(self):
        both = self.at_once(*[lambda: self.start("a:2")] * 2)
        self.assertEqual([status for status, _, _ in both], [0, 0], both)
        self.assertEqual(len(self.processes("a")), 2)

    def test_two_clusters_on_a_new_host_do_not_share_a_folder(self):
        both = self.at_once(lambda: self.start("a:1"),
                            lambda: self.start("a:1", coordinator="tcp://two:7070", authority="second.pub"))
        self.assertEqual(sorted(status for status, _, _ in both), [0, 1], both)
        self.assertEqual(len(self.processes("a")), 1)
        lost = next(output for status, output, _ in both if status == 1)
        self.assertIn("another cluster", lost)
        kept = (self.home("a") / "worker-1.arguments").read_text().splitlines()
        self.assertEqual(kept[kept.index("--coordinator") + 1], self.option("a", "--coordinator")[0])

    def test_what_is_stopped_meanwhile_is_not_started_again_by_a_rolling_restart(self):
        self.start("a:3")
        # While the first worker is brought back, somebody stops all of them.
        self.tool("a", "setsid", """
[ -e "$HOME/stopped" ] || { touch "$HOME/stopped"; rm -f "$HOME"/.lethe/worker-[23].pid; pkill -f "$HOME/.lethe/worker-[23]"; }
exec /usr/bin/setsid "$@"
""")
        status, output, errors = self.run_command("restart", "--rolling", "--boot", "off", "--wait", "30", "a")
        self.assertEqual(status, 0, output + errors)
        self.assertEqual(len(self.processes("a")), 1, output)

    def test_a_plan_for_what_is_not_there_any_more_changes_nothing(self):
        self.start("a:1")
        before = self.processes("a")
        with mock.patch.dict(os.environ, self.environment):
            facts = Connections(may_ask=False).run("a", "apply", "", "off", 5, "0" * 64, "stop", 1)
        self.assertEqual(facts, [["changed"]])
        self.assertEqual(self.processes("a"), before)


if __name__ == "__main__":
    unittest.main()

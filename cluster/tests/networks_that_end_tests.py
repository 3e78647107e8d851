"""What fails or is interrupted while hosts are being made leaves neither namespaces nor processes."""

import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
import chaos
import netns
import network


class NetworksThatEndTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root, self.spaces, self.failing = pathlib.Path(folder.name), [], ()
        self.enterContext(mock.patch.object(netns, "run", self.run_pretended))
        self.lethe = self.root / "lethe"
        self.lethe.write_text('#!/bin/sh\n[ "$1" != keys ] || exit 0\nexec sleep 60\n')
        self.lethe.chmod(0o755)
        self.enterContext(mock.patch.dict(os.environ, {"LETHE": str(self.lethe)}))

    def run_pretended(self, *command, check=True):
        """As if there were namespaces: keeps their names."""
        words = [str(word) for word in command]
        if words[:3] == ["ip", "netns", "add"]:
            self.spaces.append(words[3])
        elif words[:3] == ["ip", "netns", "delete"]:
            self.spaces.remove(words[3])
        if self.failing and all(word in words for word in self.failing):
            raise KeyboardInterrupt
        return mock.Mock(returncode=0)

    def enter(self, context):
        with self.assertRaises(KeyboardInterrupt), context:
            self.fail("it was entered")

    def test_a_switch_that_is_half_made_goes(self):
        self.failing = ("bridge",)
        self.enter(netns.Network(1))
        self.assertEqual(self.spaces, [])

    def test_a_host_that_is_half_made_goes(self):
        for failing in (("add", f"lethe-{os.getpid()}-1-home"), ("veth",)):
            self.failing, self.spaces = failing, []
            self.enter(self.cluster(len(failing)))
            self.assertEqual(self.spaces, [])

    def cluster(self, number):
        (self.root / str(number)).mkdir()
        return network.Cluster(self.root / str(number), 1, "model")

    def test_a_coordinator_that_does_not_answer_is_ended(self):
        cluster = self.cluster(1)
        started = []

        def start(_, *__):
            started.append(network.subprocess.Popen([str(self.lethe)], start_new_session=True))
            cluster.processes["coordinator"] = started[0]
        with mock.patch.object(cluster, "start", start), mock.patch.object(cluster, "until", side_effect=KeyboardInterrupt):
            self.enter(cluster)
        self.assertEqual(([process.poll() for process in started], self.spaces), ([-9], []))

    def test_services_of_a_chaos_that_does_not_begin_are_ended(self):
        started, popen = [], chaos.subprocess.Popen

        def remember(*arguments, **options):
            started.append(popen(*arguments, **options))
            return started[-1]
        with mock.patch.object(chaos.subprocess, "Popen", remember), \
                mock.patch.object(chaos.time, "sleep", side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            chaos.Cluster(self.root, "chaos", 1, "model")
        self.assertEqual([process.poll() for process in started], [-9])


if __name__ == "__main__":
    unittest.main()

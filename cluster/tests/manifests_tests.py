"""What Kubernetes, Compose and systemd are told: valid, and with what a fleet needs. cluster/test fetches Kubernetes' schemas."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CLUSTER = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(os.environ.get("LETHE_TEST_SCHEMAS", ""))
try:
    import kubernetes_validate
    import yaml
except ImportError:
    kubernetes_validate = None


@unittest.skipUnless(kubernetes_validate, "Kubernetes' schemas are not here: pip install kubernetes-validate, or run cluster/test")
class KubernetesTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.objects = list(yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text(encoding="utf-8")))
        cls.pods = {entry["metadata"]["name"]: entry["spec"]["template"]["spec"] for entry in cls.objects
                    if entry["kind"] in ("StatefulSet", "Deployment")}
        cls.containers = {name: container for name, pod in cls.pods.items() for container in pod["containers"]}

    def named(self, kind):
        return {entry["metadata"]["name"]: entry["spec"] for entry in self.objects if entry["kind"] == kind}

    def test_every_object_is_one_that_the_schemas_know(self):
        for entry in self.objects:
            kubernetes_validate.validate(entry, kubernetes_validate.latest_version(), strict=True)

    def test_a_wrong_key_is_found(self):
        wrong = {**self.objects[0], "spec": {**self.objects[0]["spec"], "ports": [{"port": "many"}]}}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)

    def test_nothing_runs_with_more_rights_than_it_needs(self):
        for name, container in self.containers.items():
            with self.subTest(name):
                self.assertEqual(container["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                                "capabilities": {"drop": ["ALL"]}})
                pod = self.pods[name]
                self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                self.assertFalse(pod["automountServiceAccountToken"])

    def test_images_are_pinned_and_resources_bounded(self):
        for name, container in self.containers.items():
            with self.subTest(name):
                self.assertRegex(container["image"], r"(:[0-9][\w.]*|@sha256:[0-9a-f]{64})$")
                self.assertLessEqual({"cpu", "memory"}, container["resources"]["requests"].keys())
                self.assertLessEqual({"cpu", "memory"}, container["resources"]["limits"].keys())
                self.assertLessEqual({"startupProbe", "livenessProbe", "readinessProbe"}, container.keys())

    def test_threads_are_those_of_the_limit(self):
        for name in ("lethe-coordinator", "lethe-worker"):
            container = self.containers[name]
            self.assertIn("--threads=$(THREADS)", container["args"])
            threads = next(entry for entry in container["env"] if entry["name"] == "THREADS")
            self.assertEqual(threads["valueFrom"], {"resourceFieldRef": {"resource": "limits.cpu"}})

    def test_every_volume_that_is_mounted_is_there(self):
        claims = [claim["metadata"]["name"] for claim in self.named("StatefulSet")["lethe-coordinator"]["volumeClaimTemplates"]]
        for name, pod in self.pods.items():
            volumes = [volume["name"] for volume in pod["volumes"]] + (claims if name == "lethe-coordinator" else [])
            mounted = [mount["name"] for mount in self.containers[name]["volumeMounts"]]
            self.assertEqual(sorted(mounted), sorted(volumes))

    def test_selectors_find_their_pods(self):
        labels = [entry["spec"]["template"]["metadata"]["labels"] for entry in self.objects
                  if entry["kind"] in ("StatefulSet", "Deployment")]
        for spec in [*self.named("Service").values()]:
            self.assertIn(spec["selector"], labels)
        for kind in ("PodDisruptionBudget", "StatefulSet", "Deployment"):
            for spec in self.named(kind).values():
                self.assertIn(spec["selector"]["matchLabels"], labels)
        headless = self.named("Service")[self.named("StatefulSet")["lethe-coordinator"]["serviceName"]]
        self.assertEqual(headless["clusterIP"], "None")

    def test_there_is_time_to_end(self):
        drain = next(int(argument.split("=")[1]) for argument in self.containers["lethe-gateway"]["args"]
                     if argument.startswith("--drain-seconds="))
        # Requests that have begun may take 30 seconds more.
        self.assertGreater(self.pods["lethe-gateway"]["terminationGracePeriodSeconds"], drain + 30)
        self.assertGreaterEqual(self.pods["lethe-worker"]["terminationGracePeriodSeconds"], 20)


@unittest.skipUnless(kubernetes_validate, "PyYAML is not here: it comes with kubernetes-validate")
class ComposeTests(unittest.TestCase):
    def test_services_are_watched_and_workers_leave_nothing_behind(self):
        services = yaml.safe_load((CLUSTER.parent / "docker/compose.yaml").read_text(encoding="utf-8"))["services"]
        for name in ("coordinator", "worker"):
            self.assertEqual(services[name]["healthcheck"]["test"][:3], ["CMD", "lethe", "status"])
        worker = services["worker"]
        self.assertTrue(any(argument.startswith("--threads=") for argument in worker["command"]))
        self.assertIn("--data=/shards/worker", worker["command"])
        self.assertEqual([entry.split(":")[0] for entry in worker["tmpfs"]], ["/shards"])
        self.assertEqual(worker["volumes"], ["keys:/keys:ro"])
        self.assertLessEqual({"LETHE_COORDINATOR", "LETHE_KEYS", "LETHE_COORDINATOR_KEY"}, worker["environment"].keys())


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not here")
class UnitTests(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.units = sorted((CLUSTER / "systemd").iterdir())
        for unit in self.units:
            # A command that is there.
            text = unit.read_text(encoding="utf-8")
            self.assertIn("ExecStart=/usr/bin/lethe ", text)
            (self.folder / unit.name).write_text(text.replace("/usr/bin/lethe", "/bin/true"), encoding="utf-8")

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False)

    def test_systemd_has_nothing_to_say_against_them(self):
        done = self.analyze("verify", "--man=no", *(self.folder / unit.name for unit in self.units))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_workers_of_a_host_share_its_cores(self):
        unit = next(unit for unit in self.units if unit.name == "lethe-worker@.service").read_text(encoding="utf-8")
        self.assertIn("\nEnvironment=LETHE_THREADS=auto\n", unit)
        self.assertIn("--threads ${LETHE_THREADS} ", unit)
        # They meet at a file in /dev/shm.
        for hidden in ("PrivateIPC=yes", "InaccessiblePaths=/dev/shm", "TemporaryFileSystem=/dev"):
            self.assertNotIn(hidden, unit)

    def test_a_wrong_line_is_found(self):
        broken = self.folder / "broken.service"
        broken.write_text("[Service]\nExecStart=/bin/true\nRestart=sometimes\n", encoding="utf-8")
        self.assertNotEqual(self.analyze("verify", "--man=no", broken).stderr, "")

    def test_they_are_hardened(self):
        for unit in self.units:
            with self.subTest(unit.name):
                done = self.analyze("security", "--offline=yes", "--threshold=20", "--no-pager", self.folder / unit.name)
                self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)


if __name__ == "__main__":
    unittest.main()

"""What Kubernetes, Compose and systemd are told: valid, and with what a fleet needs. cluster/test fetches Kubernetes' schemas."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

CLUSTER = pathlib.Path(__file__).resolve().parent.parent
# What a machine that is taken over may at most be able to ask a coordinator for. The operators' key is in none of them.
AT_MOST = {"worker": {"worker"}, "gateway": {"gateway", "query", "data", "forget", "audit"}, "coordinator": {"worker"}}
sys.path.append(os.environ.get("LETHE_TEST_SCHEMAS", ""))
try:
    import kubernetes_validate
    import yaml
except ImportError:
    kubernetes_validate = None


def commands(text):
    """Words of the commands in a text or in its comments, their continuations joined."""
    text = re.sub(r"\\\n#?\s*", "", text)
    return [shlex.split(found, comments=True) for found in re.findall(r"^#? *((?:lethe|kubectl) .*)$", text, re.MULTILINE)]


def roles(text):
    """By the key's name: what `lethe keys allow` lets it do, as a text tells to call it."""
    found = {}
    for words in commands(text):
        if words[:3] == ["lethe", "keys", "allow"]:
            after = words[words.index("--role") + 1:]
            end = next((index for index, word in enumerate(after) if word.startswith("--")), len(after))
            name = words[words.index("--name") + 1] if "--name" in words else pathlib.Path(words[3]).name
            found[name.removesuffix(".pub").removesuffix(".key")] = set(after[:end])
    return found


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

    def test_no_key_in_a_pod_may_do_more_than_the_pod_has_to(self):
        text = (CLUSTER / "kubernetes.yaml").read_text(encoding="utf-8")
        allowed = roles(text)
        self.assertEqual(allowed["operator"], {"admin"})
        secrets = {words[4]: {word.removeprefix("--from-file=") for word in words[5:]} for words in commands(text)
                   if words[:4] == ["kubectl", "create", "secret", "generic"]}
        for name, pod in self.pods.items():
            with self.subTest(name):
                mounted = set().union(*(secrets[volume["secret"]["secretName"]] for volume in pod["volumes"] if "secret" in volume))
                may = set().union(*(allowed[key] for key in mounted & allowed.keys()))
                self.assertLessEqual(may, AT_MOST[name.removeprefix("lethe-")])
                self.assertEqual("coordinator" in mounted, name == "lethe-coordinator")
                # What is named is there.
                container = self.containers[name]
                named = re.findall(r"/keys/([\w.]+)", str([container["args"], container["env"], container.get("startupProbe")]))
                self.assertTrue(named)
                self.assertLessEqual(set(named), mounted)
        self.assertFalse([argument for argument in self.containers["lethe-coordinator"]["args"] if argument.startswith("--allow=")])

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
        self.assertEqual(worker["volumes"], ["worker-keys:/keys:ro"])
        self.assertLessEqual({"LETHE_COORDINATOR", "LETHE_KEYS", "LETHE_COORDINATOR_KEY"}, worker["environment"].keys())


    def test_no_key_in_a_container_may_do_more_than_it_has_to(self):
        services = yaml.safe_load((CLUSTER.parent / "docker/compose.yaml").read_text(encoding="utf-8"))["services"]
        script = services["keys"]["command"][0]
        allowed = roles(script)
        # Of each pair, the volume that it is made in; a volume's other files are public.
        pairs = {pathlib.Path(path).name: path.split("/")[1] for path in re.search(r"for pair in (.*); do", script)[1].split()}
        self.assertEqual(allowed, {"worker": {"worker"}, "operator": {"admin"}})
        self.assertEqual(sorted(pairs), ["coordinator", "operator", "worker"])
        for name in ("coordinator", "worker"):
            volumes = {entry.split(":")[0] for entry in services[name]["volumes"]}
            may = set().union(*(allowed[key] for key, volume in pairs.items() if volume in volumes and key in allowed))
            self.assertLessEqual(may, AT_MOST[name])
            self.assertEqual(pairs["coordinator"] in volumes, name == "coordinator")
        self.assertIn("--allow-list=/keys/allow.list", services["coordinator"]["command"])
        self.assertEqual(services["client"]["volumes"], [f"{pairs['operator']}:/keys:ro"])
        dockerfile = (CLUSTER.parent / "docker/Dockerfile").read_text(encoding="utf-8")
        for volume in pairs.values():
            self.assertRegex(dockerfile, rf"install -d -o lethe .*/{volume}\b", "else it is root's, and nobody else writes there")


@unittest.skipUnless(kubernetes_validate, "PyYAML is not here: it comes with kubernetes-validate")
class ComposeKeysTests(unittest.TestCase):
    """The script of the service `keys`, with a lethe that writes names instead of keys."""

    LETHE = """#!/bin/sh
case "$2" in
    allow) echo "$(cat "$3") $* " >>"$LETHE_ALLOW_LIST" ;;
    revoke) [ -e "$LETHE_ALLOW_LIST" ] && sed -i "/--name $3 /d" "$LETHE_ALLOW_LIST" ;;
    *) [ ! -e "$2" ] && [ ! -e "$2.pub" ] || exit 1
       made="$(cat count 2>/dev/null)x"
       echo "$2" >"$2"; echo "$made" >count; echo "$made" >"$2.pub" ;;
esac
"""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / "lethe").write_text(self.LETHE)
        (self.root / "lethe").chmod(0o755)
        for volume in ("keys", "worker-keys", "operator-keys"):
            (self.root / volume).mkdir()
        services = yaml.safe_load((CLUSTER.parent / "docker/compose.yaml").read_text(encoding="utf-8"))["services"]
        self.services = services
        self.script = re.sub(r"(?<![\w*/}-])/(keys|worker-keys|operator-keys)(?=[/ ;])", rf"{self.root}/\1",
                             services["keys"]["command"][0].replace("$$", "$"))

    def up(self):
        subprocess.run(["sh", "-c", self.script], check=True, cwd=self.root, env={"PATH": f"{self.root}:{os.environ['PATH']}"})
        allowed = (self.root / "keys/allow.list").read_text().splitlines()
        return {name: [line.split()[0] for line in allowed if f"--name {name} " in line] for name in ("worker", "operator")}

    def key(self, path):
        return [(self.root / f"{path}.pub").read_text().strip()]

    def test_each_pair_is_made_once_and_is_on_the_list(self):
        allowed = self.up()
        self.assertEqual(allowed, {"worker": self.key("worker-keys/worker"), "operator": self.key("operator-keys/operator")})
        for folder in ("worker-keys", "operator-keys"):
            self.assertEqual(self.key(f"{folder}/coordinator"), self.key("keys/coordinator"))
        self.assertEqual(self.up(), allowed)
        self.assertEqual(sorted(path.name for path in (self.root / "worker-keys").iterdir()),
                         ["coordinator.pub", "worker", "worker.pub"])

    def test_a_pair_that_is_gone_or_was_interrupted_is_replaced_on_the_list_and_nobody_else_is(self):
        before = self.up()
        with open(self.root / "keys/allow.list", "a", encoding="utf-8") as file:
            file.write("abc keys allow --name shop --role query\n")
        for left in ((), ("worker",), ("worker.new",), ("worker.new", "worker.new.pub"), ("worker", "worker.new.pub")):
            with self.subTest(left):
                for path in (self.root / "worker-keys").iterdir():
                    path.unlink()
                for name in left:
                    (self.root / "worker-keys" / name).write_text("half\n")
                allowed = self.up()
                self.assertEqual(allowed["worker"], self.key("worker-keys/worker"))
                self.assertNotEqual(allowed["worker"], before["worker"])
                self.assertEqual(allowed["operator"], before["operator"])
                self.assertIn("--name shop", (self.root / "keys/allow.list").read_text())

    def test_the_list_can_be_changed_by_a_service_that_may_write_it(self):
        access = self.services["access"]
        self.assertEqual((access["entrypoint"], access["volumes"]), (["lethe", "keys"], ["keys:/keys"]))
        self.assertEqual(access["environment"]["LETHE_ALLOW_LIST"], "/keys/allow.list")


class UnitKeyTests(unittest.TestCase):
    def test_no_key_of_a_unit_may_do_more_than_the_unit_has_to(self):
        units = {path.name: path.read_text(encoding="utf-8") for path in (CLUSTER / "systemd").iterdir()}
        allowed = roles(units["lethe-coordinator.service"])
        self.assertEqual(allowed["operator"], {"admin"})
        for name, text in units.items():
            with self.subTest(name):
                role = re.match(r"lethe-(\w+)", name)[1]
                keys = re.findall(r"^LoadCredential=(\w+)\.key:/etc/lethe/\1\.key$", text, re.MULTILINE)
                self.assertIn(role, keys)
                self.assertLessEqual(set().union(*(allowed.get(key, set()) for key in keys)), AT_MOST[role])
                self.assertIn(f"--keys %d/{role}.key ", text)
        self.assertIn("--allow-list /etc/lethe/allow.list", units["lethe-coordinator.service"])


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

    def test_no_unit_leaves_core_dumps(self):
        for unit in self.units:
            with self.subTest(unit.name):
                self.assertIn("\nLimitCORE=0\n", unit.read_text(encoding="utf-8"))

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

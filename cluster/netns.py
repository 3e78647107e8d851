"""Hosts in network namespaces of this machine, joined by a switch in one of its own: nothing of the machine's own network is
touched. For network.py."""

import json
import os
import shutil
import subprocess
import sys

PACKAGES = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables"}
ETHERNET, LOSS = 1500, 10

# Gratuitous ARP, as keepalived sends it.
ANNOUNCEMENT = """
import socket, sys, time
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
card.bind(("eth0", 0))
own, address = card.getsockname()[4], socket.inet_aton(sys.argv[1])
frame = b"\\xff" * 6 + own + bytes.fromhex("0806 0001 0800 0604 0001") + own + address + b"\\0" * 6 + address
for _ in range(4):
    card.send(frame)
    time.sleep(0.5)
"""


def run(*command, check=True):
    return subprocess.run([str(word) for word in command], check=check, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)


def dropping(hook, card, share):
    what = "drop" if share == 100 else f"numgen random mod 100 < {share} drop"
    return (f"add table inet lethe; add chain inet lethe {hook} {{ type filter hook {hook} priority 0; }}; "
            f"add rule inet lethe {hook} {'iif' if hook == 'input' else 'oif'} {card} {what}")


def limit(rate):
    return ["root", "tbf", "rate", rate, "burst", "16kb", "latency", "400ms"]


def hindrance():
    """Why no namespaces can be made here; None if they can."""
    if os.getuid() != 0:
        return "only root makes network namespaces"
    if missing := [tool for tool in PACKAGES if not shutil.which(tool)]:
        return f"{' and '.join(missing)} missing: apt-get install {' '.join(sorted({PACKAGES[tool] for tool in missing}))}"
    name = f"lethe-{os.getpid()}-trial"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "name", "va", "type", "veth", "peer", "name", "vb")
        run("ip", "-n", name, "link", "add", "name", "switch", "type", "bridge")
        run("ip", "netns", "exec", name, "nft", dropping("input", "va", LOSS))
        run("ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "va", *limit("1mbit"))
    except subprocess.CalledProcessError as error:
        return f"no network namespaces as they are needed: {error.stderr.strip() or error}"
    finally:
        run("ip", "netns", "delete", name, check=False)
    return None


class Host:
    """A namespace with one network card, eth0."""

    def __init__(self, network, name, address):
        self.name, self.address, self.space, self.port = name, address, f"{network.prefix}-{name}", f"p-{name}"
        self.switch = network.switch
        network.add(self.space)
        run("ip", "-n", self.space, "link", "set", "lo", "up")
        run("ip", "-n", self.switch, "link", "add", "name", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        run("ip", "-n", self.switch, "link", "set", self.port, "master", "switch", "up")
        run("ip", "-n", self.space, "link", "set", "eth0", "up")
        self.take(address)

    def execute(self, *command):
        return run("ip", "netns", "exec", self.space, *command)

    def take(self, address):
        run("ip", "-n", self.space, "address", "add", f"{address}/16", "dev", "eth0")

    def take_over(self, address):
        """As what moves addresses does, it says so, for some seconds, to those who remember another card for it."""
        self.take(address)
        self.execute(sys.executable, "-c", ANNOUNCEMENT, address)

    def leave(self):
        """Off the network, for good."""
        run("ip", "-n", self.space, "address", "flush", "dev", "eth0")

    def drop(self, *hooks, share=100):
        """Drops that share (in %) of what comes in (input) or goes out (output)."""
        for hook in hooks:
            self.execute("nft", dropping(hook, "eth0", share))

    def mend(self):
        self.execute("nft", "delete table inet lethe")

    def slow_down(self, rate):
        self.execute("tc", "qdisc", "add", "dev", "eth0", *limit(rate))
        run("ip", "netns", "exec", self.switch, "tc", "qdisc", "add", "dev", self.port, *limit(rate))

    def narrow(self, bytes_):
        run("ip", "-n", self.space, "link", "set", "eth0", "mtu", bytes_)
        run("ip", "-n", self.switch, "link", "set", self.port, "mtu", bytes_)

    def moved(self):
        """Bytes that have passed its card, in both directions."""
        card = json.loads(run("ip", "-n", self.space, "-s", "-j", "link", "show", "eth0").stdout)[0]["stats64"]
        return card["rx"]["bytes"] + card["tx"]["bytes"]


class Network:
    """As a context it takes away what it has made, however it ends."""

    def __init__(self, number):
        self.prefix, self.hosts, self.spaces = f"lethe-{os.getpid()}-{number}", [], []
        self.switch = f"{self.prefix}-switch"

    def __enter__(self):
        try:
            self.add(self.switch)
            run("ip", "-n", self.switch, "link", "add", "name", "switch", "type", "bridge", "stp_state", "0", "forward_delay", "0")
            run("ip", "-n", self.switch, "link", "set", "switch", "up")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        while self.spaces:
            space = self.spaces.pop()
            if run("ip", "netns", "delete", space, check=False).returncode != 0:
                print(f"ip netns delete {space} failed", file=sys.stderr)

    def add(self, space):
        # Written down first: one that an interruption has only half made goes too.
        self.spaces.append(space)
        run("ip", "netns", "add", space)

    def host(self, name):
        number = len(self.hosts) + 1
        self.hosts.append(Host(self, name, f"10.77.{number // 250}.{number % 250 + 1}"))
        return self.hosts[-1]

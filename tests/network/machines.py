"""Machines: network namespaces with addresses of their own on one switch, and links between them that
can be cut one way, lose packets, and heal.

They are made inside the namespaces of tests/network/run (mounts, processes, network) and end with them.
Run as a program it tries out whether this machine can do all of it.
"""
import os
import subprocess
import sys

NAMES = ("broker", "web", "worker-1", "worker-2")
CHAIN = ("table inet faults { chain arrives { type filter hook input priority 0; }; }")


class Impossible(Exception):
    """This machine does not allow what a network needs; why."""


def command(*words, **more):
    run = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         check=False, **more)
    if run.returncode != 0:
        raise Impossible(f"{' '.join(words)} ended with {run.returncode}: {run.stdout.strip()}")
    return run.stdout


class Machine:
    def __init__(self, namespace, name, number):
        self.namespace, self.name = namespace, name
        self.address, self.address6 = f"10.77.0.{number}", f"fd77::{number}"
        command("ip", "netns", "add", namespace)
        command("ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0",
                "netns", namespace)
        command("ip", "link", "set", f"port{number}", "master", "switch", "up")
        for words in (("link", "set", "lo", "up"),
                      ("addr", "add", f"{self.address}/24", "dev", "eth0"),
                      ("-6", "addr", "add", f"{self.address6}/64", "dev", "eth0", "nodad"),
                      ("link", "set", "eth0", "up")):
            command("ip", "-n", namespace, *words)
        self.nft(CHAIN)

    def nft(self, rules):
        command("ip", "netns", "exec", self.namespace, "nft", rules)

    def within(self, hidden=None):
        """The beginning of a command that runs here. It becomes its process, so a signal reaches it. Of
        the folder that is hidden it sees nothing: machines share no files."""
        here = ["ip", "netns", "exec", self.namespace]
        if hidden is None:
            return here
        return [*here, "sh", "-c", 'mount -t tmpfs hidden "$0" && exec "$@"', hidden]

    def is_deaf_to(self, other):
        """The link is cut one way: what the other sends does not arrive here."""
        self.nft(f"add rule inet faults arrives ip saddr {other.address} drop")

    def loses(self, percent):
        """So many of a hundred packets do not arrive here."""
        self.nft(f"add rule inet faults arrives iif eth0 numgen random mod 100 < {percent} drop")

    def heals(self):
        self.nft("flush chain inet faults arrives")


class Network:
    """All machines, by their names; run: a number that no other run has now."""

    def __init__(self, run):
        # Mounted over the list of namespaces of the whole machine, and over its names.
        os.makedirs("/run/netns", exist_ok=True)
        command("mount", "-t", "tmpfs", "namespaces", "/run/netns")
        command("ip", "link", "set", "lo", "up")
        command("ip", "link", "add", "switch", "type", "bridge")
        command("ip", "link", "set", "switch", "up")
        self.by_name = {name: Machine(f"millrace{run}-{name}", name, number)
                        for number, name in enumerate(NAMES, 1)}

    def __getitem__(self, name):
        return self.by_name[name]

    def name_hosts(self, folder):
        """NAME.test is the address of each machine."""
        path = os.path.join(folder, "hosts")
        with open(path, "w") as file:
            file.write("127.0.0.1 localhost\n")
            for machine in self.by_name.values():
                file.write(f"{machine.address} {machine.name}.test\n")
        command("mount", "--bind", path, "/etc/hosts")

    def heal(self):
        for machine in self.by_name.values():
            machine.heals()


def try_out():
    network = Network(os.getpid())
    network["web"].loses(5)
    network["web"].is_deaf_to(network["broker"])
    network.heal()
    command(*network["web"].within("/tmp"), "true")


if __name__ == "__main__":
    try:
        try_out()
    except (Impossible, OSError) as why:
        print(why, file=sys.stderr)
        sys.exit(1)

"""The testbed of the fault suites, on machines of a network: the broker on one, its producers and workers on
others, each with a key of its own."""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "faults"))
from testbed import BIN, PATIENCE_S, SETTINGS, Child, Stuck, Testbed  # noqa: E402

PORT = 7300
HOME = {"producer": ("web",), "worker": ("worker-1", "worker-2")}
# name: (roles, topics); the crowd is a few hundred clients.
KEYS = {"web": ("produce,look", "t"), "worker-1": ("work", "t"), "worker-2": ("work", "t"),
        "crowd": ("look", "t")}


def millrace(*words):
    run = subprocess.run([f"{BIN}/millrace", *words], stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.STDOUT, check=False, timeout=PATIENCE_S)
    if run.returncode != 0:
        raise Stuck(f"millrace {' '.join(words)} ended with {run.returncode}: {run.stdout}")
    return run.stdout


class KeyFolder:
    """The keys of the broker and of its clients, as an operator makes them."""

    def __init__(self, folder):
        self.folder = folder
        millrace("keys", "init", "--dir", folder)
        for name, (may, topics) in KEYS.items():
            millrace("keys", "new", name, "--may", may, "--topics", topics, "--dir", folder,
                     "--out", self.of(name))
        self.settings = (f'[access]\nkeys_dir = "{folder}/keys"\n'
                         f'broker_key_file = "{folder}/broker.key"\n')

    def of(self, name):
        return f"{self.folder}/{name}.key"

    def refuse(self, name):
        """The broker does not know the key any more, until the answer is called."""
        known, aside = f"{self.folder}/keys/{name}.toml", f"{self.folder}/{name}.aside"
        os.rename(known, aside)
        return lambda: os.rename(aside, known)


class NetworkBed(Testbed):
    def __init__(self, seed, network, keys, settings=SETTINGS, listen=None, advertise="", host=None):
        self.machines, self.keys = network, keys
        broker = network["broker"]
        super().__init__(seed, settings=f"{settings}{advertise}\n{keys.settings}",
                         listen=[listen or f"tcp://{broker.address}:{PORT}"])
        self.address = f"tcp://{host or broker.address}:{PORT}"
        self.broker_within = broker.within()
        self.machine_of, self.delivered, self.unanswered, self.stale = {}, {}, {}, set()

    def note(self, event):
        super().note(event)
        kind = event["e"]
        if kind == "deliver":
            self.delivered[event["by"]] = self.delivered.get(event["by"], 0) + 1
        elif kind == "settle":
            self.unanswered[event["job"], tuple(event["token"])] = event["by"]
        elif kind in ("settled", "stale"):
            which = event["job"], tuple(event["token"])
            self.unanswered.pop(which, None)
            if kind == "stale":
                self.stale.add(which)

    # Who runs where.

    def here(self, name):
        """How a command begins that runs on this machine, with its key: for subprocess."""
        machine = self.machines["web" if name == "crowd" else name]
        environment = dict(os.environ, MILLRACE_KEY_FILE=self.keys.of(name), MILLRACE_BROKER=self.address)
        return machine.within(self.folder), environment

    def start_on(self, role, name, slower=1, **environment):
        within, known = self.here(name)
        child = self.start(role, self.address, slower, within, env={**known, **environment})
        self.machine_of[child] = self.machines[name]
        return child

    def start_all(self, slower=1, **environment):
        self.start_broker()
        for role, names in HOME.items():
            for name in names:
                self.start_on(role, name, slower, **environment)
        self.under_load(50)

    def start_program(self, name, words, take_line=lambda line: None):
        """A program of ours on a machine; it ends with the bed."""
        within, environment = self.here(name)
        child = Child(self, words[0], [*within, f"{BIN}/{words[0]}", *words[1:]], take_line,
                      env=environment, stderr=self.log)
        self.children[f"x{len(self.children)}"] = child
        return child

    def run_program(self, name, *words):
        """What a program of ours says on a machine; it has to succeed."""
        within, environment = self.here(name)
        run = subprocess.run([*within, f"{BIN}/{words[0]}", *words[1:]], text=True, env=environment,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                             timeout=2 * PATIENCE_S)
        if run.returncode != 0:
            raise Stuck(f"{' '.join(words)} on {name} ended with {run.returncode}: {run.stdout}")
        return run.stdout.split("\n")[:-1]

    # What is waited for.

    def under_load(self, events):
        until = self.events + events
        self.pump(lambda: self.events >= until, "the load goes on", lambda: not self.broker.alive())

    def until_more(self, kind, number=1):
        until = self.counted.get(kind, 0) + number
        self.pump(lambda: self.counted.get(kind, 0) >= until, f"{number} more of {kind}",
                  lambda: not self.broker.alive())

    def until_delivered_to(self, name):
        until = self.delivered.get(name, 0) + 1
        self.pump(lambda: self.delivered.get(name, 0) >= until, f"{name} gets jobs again",
                  lambda: not self.broker.alive())

    def until_others_have(self, jobs, name):
        """All of them; the seconds that it took."""
        begun = time.monotonic()
        self.pump(lambda: self.others_have(jobs) == len(jobs), f"the jobs of {name} go to others",
                  lambda: not self.broker.alive())
        return time.monotonic() - begun

    def late_settles(self, name):
        """Of a worker, those of jobs that another has got since: they can only be refused."""
        return {(job, token) for (job, token), by in self.unanswered.items()
                if by == name and tuple(self.newest[job]) > token}

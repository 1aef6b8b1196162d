"""The trials of the network suite: tests/network/run. Each has a broker of its own, and those with a
load end with every job at its end and the history judged: none lost, none recorded twice."""
import os
import random
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "faults"))
import judge  # noqa: E402
from suite import count, keep_files, parser  # noqa: E402
from testbed import SETTINGS, Stuck  # noqa: E402

import addresses  # noqa: E402
import crowd  # noqa: E402
import failures  # noqa: E402
from machines import Impossible, Network  # noqa: E402
from network_bed import KeyFolder, NetworkBed  # noqa: E402

JOBS_MIN = 30  # acknowledged in a trial: with less it has shown nothing
# name: what happens, what is different about its broker
TRIALS = {
    "clean": (failures.clean, {}),
    "worker-killed": (failures.worker_killed, {"settings": failures.long_lease}),
    "worker-frozen": (failures.worker_frozen, {}),
    "broker-killed": (failures.broker_killed, {}),
    "worker-cut-off": (failures.worker_cut_off, {}),
    "producer-cut-off": (failures.producer_cut_off, {}),
    "packets-lost": (failures.packets_lost, {"settings": failures.patient_lease}),
    "two-workers-of-a-job": (failures.two_workers_of_a_job, {}),
    "ipv6": (addresses.by_address, {"listen": addresses.IPV6, "host": "[fd77::1]"}),
    "host-name": (addresses.by_address, {"host": "broker.test"}),
    "advertise": (addresses.advertise, addresses.ADVERTISED),
    "crowd": (crowd.comes_back, {}),
}
UNJUDGED = ("ipv6", "host-name", "advertise", "crowd")  # no load, and so no history


def made_bed(name, seed, network, keys):
    more = dict(TRIALS[name][1])
    settings = more.pop("settings", SETTINGS)
    return NetworkBed(seed, network, keys, settings() if callable(settings) else settings, **more)


def play(name, bed):
    """Sentences: what was wrong."""
    try:
        print(f"  {TRIALS[name][0](bed)}", flush=True)
        if name in UNJUDGED:
            return []
        bed.machines.heal()
        bed.settle_down()
        return judge.violations(bed.path, JOBS_MIN)
    except Stuck as why:
        return [str(why)]
    finally:
        bed.machines.heal()


def trial(name, seed, place, options):
    """Whether it passed."""
    bed, kept = made_bed(name, seed, *place), True
    try:
        found = play(name, bed)
        keep_files(bed, options.keep and os.path.join(options.keep, f"{name}-{seed}"))
        kept = bool(found)
    except KeyboardInterrupt:
        kept = False
        raise
    finally:
        bed.close(keep=kept)
    seen = ", ".join(f"{number} {kind}" for kind, number in sorted(bed.counted.items()))
    print(f"{'passed' if not found else 'FAILED'}  {name}  {seen}", flush=True)
    for each in found[:20]:
        print(f"  violation: {each}")
    if found:
        print(f"  again: tests/network/run --only {name} --seed {seed}; history and log: {bed.folder}",
              flush=True)
    return not found


def plan(options):
    """(name, seed) of each trial: every kind once before one comes again, in the seed's order."""
    if options.only:
        return [(options.only, options.seed + at) for at in range(options.trials or 1)]
    rng, chosen = random.Random(options.seed), []
    while len(chosen) < (options.trials or len(TRIALS)):
        chosen += rng.sample(sorted(TRIALS), len(TRIALS))
    return [(name, options.seed + at) for at, name in enumerate(chosen[:options.trials or len(TRIALS)])]


def interrupted(*_):
    raise KeyboardInterrupt


def options_of():
    made = parser(__doc__)
    made.prog = "tests/network/run"
    made.add_argument("--run", type=int, default=os.getpid(), help="a number for the machines' names")
    made.add_argument("--trials", type=count, help=f"how many (default: each once, {len(TRIALS)})")
    made.add_argument("--only", choices=sorted(TRIALS), help="only trials of this name")
    made.add_argument("--list", action="store_true", help="print the names of the trials")
    return made.parse_args()


def main():
    options = options_of()
    if options.list:
        print("\n".join(TRIALS))
        return 0
    # The first process of its namespace: a signal without a handler would not reach it.
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    print(f"seed {options.seed}", flush=True)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="mr-network-") as folder:
        network, keys = Network(options.run), KeyFolder(folder)
        network.name_hosts(folder)
        for name, seed in plan(options):
            well = trial(name, seed, (network, keys), options)
            passed, failed = passed + well, failed + (not well)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Impossible as why:
        print(f"{why}\n0 passed, 1 failed")
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted\n0 passed, 1 failed")
        sys.exit(130)

"""Trials of what an address can be: IPv6, a host name, and addresses that the broker advertises, with the
programs of ours on other machines."""
from network_bed import PORT
from testbed import SETTINGS, Stuck

IPV6 = f"tcp://[fd77::1]:{PORT}"
ADVERTISED = {"listen": f"tcp://0.0.0.0:{PORT}", "settings": SETTINGS + "shards = 2\n",
              "advertise": f'advertise = ["tcp://10.77.0.1:{PORT}"]'}
JOBS = 16


def jobs_of_two_machines(bed):
    """Jobs from one machine, done on another; their ids."""
    bed.start_broker()
    bed.start_program("worker-2", ["millrace-worker", "--topic", "t", "--exec", "cat"])
    ids = []
    for number in range(JOBS):  # a key each, so that they go to many partitions
        ids += bed.run_program("web", "millrace", "enqueue", "t", "hello", "--key", f"key-{number}")
    bed.run_program("web", "millrace", "wait", *ids, "--for", "30s")
    return ids


def by_address(bed):
    ids = jobs_of_two_machines(bed)
    return f"{len(ids)} jobs by way of {bed.address}, done on another machine"


def advertise(bed):
    """The broker listens on all addresses of its machine: only the advertised ones help its clients."""
    ids = jobs_of_two_machines(bed)
    shards = {int(one.split("/")[1]) % 2 for one in ids}
    if shards != {0, 1}:
        raise Stuck(f"the jobs should have met both shards: {ids}")
    return f"{len(ids)} jobs in both shards, done on another machine"

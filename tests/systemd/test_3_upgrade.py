"""An upgrade from the previous version with running jobs: old workers on the new broker, and new
workers on the old broker, each on a machine of its own."""
import pytest

from machine import Machine

STATE = "/var/lib/millrace-worker"
COMMAND = f"read job; echo $job >> {STATE}/begun; sleep 0.3; echo $job >> {STATE}/ended"


@pytest.fixture(params=["broker first", "workers first"])
def old(request, before):
    machine = Machine("upgrade-" + request.param.split()[0])
    machine.apt(f"install {before}/*.deb")
    machine.until_active("millraced")
    assert machine.sh("millraced --version").startswith("millraced 0.1.")
    machine.first = request.param
    yield machine
    machine.close()


def enqueue(machine, begin, count):
    machine.sh(f"for i in $(seq {begin} {begin + count - 1}); do echo '{{\"payload\": \"'$i'\"}}'; done"
               " | millrace enqueue jobs --jsonl -")


def until_ended(machine, count):
    machine.until(f"test $(sort -u {STATE}/ended | wc -l) -ge {count} && echo all", "all", 90)


def test_jobs_under_way_survive_it(old):
    old.sh("echo '# of the operator' >> /etc/millrace/millraced.toml")
    old.drop_in("millraced.service", "[Service]\nEnvironment=OPERATOR=here\n")
    old.write("/etc/millrace/workers/jobs.env",
              f"MILLRACE_EXEC='{COMMAND}'\nMILLRACE_OPTIONS='--concurrency 2'\n")
    old.sh("systemctl enable --now millrace-worker@jobs-{1..4}")
    old.until_active(*(f"millrace-worker@jobs-{n}" for n in range(1, 5)))
    broker, worker = old.show("millraced", "MainPID"), old.show("millrace-worker@jobs-1", "MainPID")
    enqueue(old, 1, 120)
    old.until(f"wc -l < {STATE}/begun", "^[1-9]")
    order = ["millrace-broker", "millrace-worker"]
    if old.first == "workers first":
        order.reverse()
    keep = "-o Dpkg::Options::=--force-confold install"
    old.apt(f"{keep} ./{order[0]}_*.deb")
    enqueue(old, 121, 40)
    until_ended(old, 130)
    old.say(f"the two versions worked together: {order[0]} is new, {order[1]} is old")
    old.apt(f"{keep} ./millrace-*.deb")
    enqueue(old, 161, 40)
    until_ended(old, 200)
    ended = old.sh(f"sort -n {STATE}/ended").split()
    assert ended == [str(n) for n in range(1, 201)]
    assert old.show("millraced", "MainPID") != broker
    assert old.show("millrace-worker@jobs-1", "MainPID") != worker
    for program in ("millraced", "millrace-worker", "millrace-gateway", "millrace"):
        assert old.sh(f"{program} --version").startswith(f"{program} 0.2.")
    assert old.show("millraced", "NeedDaemonReload") == "no"
    assert "of the operator" in old.sh("cat /etc/millrace/millraced.toml")
    assert "OPERATOR=here" in old.sh("tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID millraced)/environ")
    old.say("upgraded: 200 of 200 jobs, each once; edited settings and the drop-in are in force")

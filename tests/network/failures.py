"""Trials with a load: processes that are killed or frozen on other machines, links that are cut or lose
packets. Each returns a line about what happened; its history is judged afterwards."""
import signal

from testbed import Stuck

LEASE_S = 60  # of trials in which a death has to be noticed long before a lease ends


def long_lease():
    return f"lease_ms = {LEASE_S * 1000}\nheartbeat_ms = 1_000\n"


def patient_lease():
    return "lease_ms = 3_000\nheartbeat_ms = 300\ngrace_ms_max = 1_000\n"


def clean(bed):
    bed.start_all()
    bed.under_load(400)
    if len(bed.delivered) != 2:
        raise Stuck(f"both workers should have had jobs, not only {', '.join(bed.delivered)}")
    return "nothing happened"


def worker_killed(bed):
    bed.start_all(slower=3)
    name = bed.stop_one_with_jobs()
    jobs, machine = bed.fresh(name), bed.machine_of[name]
    bed.kill(name)
    took_s = bed.until_others_have(jobs, name)
    if took_s > LEASE_S / 2:  # heartbeats and the closed connection tell it, not the lease
        raise Stuck(f"the jobs of {name}, which was killed, were with others only after {took_s:.1f} s")
    bed.start_on("worker", machine.name)
    bed.under_load(50)
    return (f"{len(jobs)} jobs of a worker killed on {machine.name} ran elsewhere after {took_s:.1f} s: its "
            "connection was closed")


def worker_frozen(bed):
    bed.start_all()
    name = bed.stop_one_with_jobs()
    jobs = bed.fresh(name)
    took_s = bed.until_others_have(jobs, name)
    bed.children[name].process.send_signal(signal.SIGCONT)
    bed.until_delivered_to(name)
    return f"{len(jobs)} jobs of a frozen worker ran elsewhere after {took_s:.1f} s; it continued and got others"


def broker_killed(bed):
    bed.start_all()
    times = 3
    for _ in range(times):
        bed.kill_broker()
        bed.pump_for(bed.rng.random() * 0.5)
        bed.start_broker()
        for name in sorted(bed.machine_of):
            if name[0] == "w":
                bed.until_delivered_to(name)
        bed.under_load(100)
    return f"the broker was killed {times} times; everybody came back"


def worker_cut_off(bed):
    """One way, the other way, both ways: each for longer than the lease, and healed each time."""
    bed.start_all()
    broker = bed.machines["broker"]
    names = sorted(name for name in bed.machine_of if name[0] == "w")
    for broker_deaf, worker_deaf in ((False, True), (True, False), (True, True)):
        name = bed.rng.choice(names)
        worker = bed.machine_of[name]
        if broker_deaf:
            broker.is_deaf_to(worker)
        if worker_deaf:
            worker.is_deaf_to(broker)
        bed.pump_for(0.8 + bed.rng.random())
        other = names[1 - names.index(name)]
        bed.until_delivered_to(other)
        bed.machines.heal()
        bed.until_delivered_to(name)
    return "links were cut one way, the other way, and both ways"


def producer_cut_off(bed):
    bed.start_all()
    web, broker = bed.machines["web"], bed.machines["broker"]
    for _ in range(2):
        # A batch is stored, and its answer does not arrive.
        web.is_deaf_to(broker)
        bed.pump(lambda: bed.open_tags, "the producer waits for an answer")
        bed.pump_for(0.1)
        broker.is_deaf_to(web)
        bed.pump_for(0.3 + bed.rng.random())
        bed.machines.heal()
        bed.until_more("enqueued", 20)
    return "the link of the producer was cut twice; its jobs were stored once each"


def packets_lost(bed):
    bed.start_all(MILLRACE_PATIENCE_MS="1500")
    percent = bed.rng.randrange(5, 21)
    for machine in bed.machines.by_name.values():
        machine.loses(percent)
    bed.until_more("enqueued", 40)
    bed.until_more("settled", 40)
    return f"{percent} % of the packets were lost, both ways"


def two_workers_of_a_job(bed):
    """A worker that is cut off finishes its jobs when others have them already."""
    bed.start_all()
    name = bed.stop_one_with_jobs()
    worker, broker, jobs = bed.machine_of[name], bed.machines["broker"], bed.fresh(name)
    worker.is_deaf_to(broker)
    broker.is_deaf_to(worker)
    bed.children[name].process.send_signal(signal.SIGCONT)
    bed.until_others_have(jobs, name)
    bed.pump(lambda: bed.late_settles(name), f"{name} has finished one of its jobs, too late")
    late = bed.late_settles(name)
    bed.machines.heal()
    bed.pump(lambda: not late & set(bed.unanswered), f"the late results of {name} are answered")
    if not late <= bed.stale:
        raise Stuck(f"late results of {name} were recorded: {sorted(late - bed.stale)}")
    return f"{len(late)} results came from a worker whose jobs had run elsewhere: refused as stale"

"""Other queues, each started on loopback with a data folder of its own, in the mode in which it
answers after its disk where it has one. A starter returns what its clients need to know."""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess

from lab import ROOT, Failed

MODULES = os.path.join(ROOT, "build", "peers")
START_S = 60
POSTGRES = "/usr/lib/postgresql/*/bin/postgres"
RABBITMQ = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"


def program(name):
    """Its path; Failed with the reason when it is not installed."""
    found = glob.glob(name) if name.startswith("/") else [shutil.which(name)]
    if not found or not found[0]:
        raise Failed(f"{os.path.basename(name)} is not installed: tests/bench/install-peers")
    return sorted(found)[-1]


def module(name):
    if not os.path.isdir(f"{MODULES}/node_modules/{name}"):
        raise Failed(f"{name} is not installed: tests/bench/install-peers")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(process, port):
    """Until something listens, or the process has ended, or START_S have passed."""
    for _ in range(START_S * 20):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.process.wait(0.05)
            break
        except subprocess.TimeoutExpired:
            continue
    raise Failed(f"{process.name} did not listen:\n{process.said()}")


def folder_of(lab, name):
    path = lab.path(name)
    os.makedirs(path)
    return path


def beanstalkd(lab):
    port = free_port()
    wait_for_port(lab.spawn([program("beanstalkd"), "-l", "127.0.0.1", "-p", str(port), "-b",
                             folder_of(lab, "beanstalkd"), "-f", "0"]), port)
    return {"port": port}


def redis(lab):
    port = free_port()
    wait_for_port(lab.spawn([program("redis-server"), "--port", str(port), "--bind", "127.0.0.1",
                             "--dir", folder_of(lab, "redis"), "--save", "", "--appendonly", "yes",
                             "--appendfsync", "always"]), port)
    return {"port": port}


def rabbitmq(lab):
    server, home = program(RABBITMQ), folder_of(lab, "rabbitmq")
    port, names, distribution = free_port(), free_port(), free_port()
    # Its name server would outlive it: one of our own, stopped with the rest.
    wait_for_port(lab.spawn([program("epmd"), "-port", str(names), "-address", "127.0.0.1"]), names)
    environment = {"HOME": home, "RABBITMQ_MNESIA_BASE": home, "RABBITMQ_LOG_BASE": home,
               "RABBITMQ_NODENAME": f"bench{port}@localhost", "RABBITMQ_NODE_PORT": str(port),
               "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_DIST_PORT": str(distribution),
               "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins", "ERL_EPMD_PORT": str(names),
               "RABBITMQ_CONFIG_FILE": f"{home}/none"}
    wait_for_port(lab.spawn([server], environment, stop=signal.SIGKILL), port)
    return {"port": port}


def nats(lab):
    port = free_port()
    wait_for_port(lab.spawn([program("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-js",
                             "-sd", folder_of(lab, "nats")]), port)
    return {"port": port}


def gearmand(lab):
    port, folder = free_port(), folder_of(lab, "gearmand")
    wait_for_port(lab.spawn([program("gearmand"), "-L", "127.0.0.1", "-p", str(port), "-q",
                             "libsqlite3", f"--libsqlite3-db={folder}/queue.db",
                             f"--log-file={folder}/log"]), port)
    return {"port": port}


def postgres(lab):
    server, port = program(POSTGRES), free_port()
    folder = folder_of(lab, "postgres")
    who = {}
    if os.getuid() == 0:  # it refuses to run as root
        user = pwd.getpwnam("postgres")
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)
        os.chmod(lab.folder, 0o755)
    made = subprocess.run([os.path.join(os.path.dirname(server), "initdb"), "-D", folder, "-U",
                           "bench", "-A", "trust", "-E", "UTF8"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd="/", **who)
    if made.returncode:
        raise Failed(f"initdb: {made.stdout[-500:]}")
    os.chmod(lab.syncs.path, 0o666)
    wait_for_port(lab.spawn([server, "-D", folder, "-p", str(port), "-c",
                             "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c",
                             "shared_buffers=256MB", "-c", "max_wal_size=2GB"],
                            stop=signal.SIGQUIT, **who), port)
    url = f"postgresql://bench@127.0.0.1:{port}/postgres"
    for _ in range(START_S * 5):  # it listens before it answers
        if subprocess.run([program("pg_isready"), "-q", "-d", url]).returncode == 0:
            return {"port": port, "db": url}
        lab.wait_a_little()
    raise Failed("postgres did not answer")


def graphile_worker(lab):
    module("graphile-worker")
    return {**postgres(lab), "modules": MODULES}


def bullmq(lab):
    module("bullmq")
    return {**redis(lab), "modules": MODULES}


def bunqueue(lab):
    module("bunqueue")
    port, http = free_port(), free_port()
    wait_for_port(lab.spawn([bun(), f"{MODULES}/node_modules/bunqueue/dist/main.js", "start",
                             "--host", "127.0.0.1", "--tcp-port", str(port), "--http-port",
                             str(http), "--data-path", f"{folder_of(lab, 'bunqueue')}/queue.db"]),
                  port)
    return {"port": port, "modules": MODULES}


def bun():
    return program(f"{MODULES}/node_modules/.bin/bun")

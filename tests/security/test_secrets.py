"""Where secrets must not come, and what is said of files that hold them."""
import os
import resource
import signal
import subprocess

import pytest

from millrace_wire import BIN, Client
from secure_bed import KeyClient, armed, copied, field, outcome
from test_admin import until


def secrets_of(broker, *paths):
    names = [(f"{broker.keys}/broker.key", "secret_key")] + [(path, "secret_key") for path in paths]
    found = [field(*one) for one in names]
    assert all(len(one) == 40 for one in found)
    return found


def shown_of(process):
    for name in ("cmdline", "environ"):
        with open(f"/proc/{process.pid}/{name}", "rb") as file:
            yield name, file.read()


def test_no_secret_is_in_logs_metrics_command_lines_or_what_is_stored(start):
    broker = start()
    broker.rewrite(("[http]", '[log]\nlevel = "debug"\n[http]'))
    path, worker_path = broker.key("web-1", "admin"), broker.key("w-1", "work")
    broker.millrace("keys", "new", "http-1", "--may", "produce", "--topics", "*", "--token", "--dir",
                    broker.keys, "--out", f"{broker.folder}/http-1.token")
    with open(f"{broker.folder}/http-1.token", "rb") as file:
        token = file.read().strip()
    assert len(token) > 40
    secrets = [*secrets_of(broker, path, worker_path), token]
    worker = subprocess.Popen([f"{BIN}/millrace-worker", "--topic", "t", "--exec", "env", "--key-file",
                               worker_path], stderr=subprocess.PIPE)
    try:
        client = KeyClient(broker.tcp, path)
        client.enqueue()
        outcome(broker.tcp, lambda made: (armed(made, path), setattr(made, "curve_publickey", b"0" * 40)))
        until(lambda: client.topic()["completed"] == 1, lambda: "the job is not done")
        texts = {"metrics": str(broker.metrics()).encode(),
                 "list": broker.millrace("--json", "keys", "list", "--dir", broker.keys).encode(),
                 "show": broker.millrace("keys", "show", "http-1", "--dir", broker.keys).encode()}
        for process in (broker.process, worker):
            texts.update({f"{name} of {process.args[0]}": text for name, text in shown_of(process)})
        broker.revoke("web-1")
        broker.logged("the key web-1 was revoked")
    finally:
        worker.send_signal(signal.SIGTERM)
        texts["worker"] = worker.communicate(timeout=40)[1]
    assert broker.stop() == 0
    for folder in (f"{broker.folder}/data", f"{broker.keys}/keys"):
        for place, _, names in os.walk(folder):
            for name in names:
                with open(f"{place}/{name}", "rb") as file:
                    texts[f"{place}/{name}"] = file.read()
    texts["log"] = broker.logs().encode()
    assert len(texts) >= 11 and b"debug" in texts["log"]
    for name, text in texts.items():
        for secret in secrets:
            assert secret not in text, f"{name} has a secret"


def ended_by(broker, signal_of_end):
    broker.process.send_signal(signal_of_end)
    broker.process.wait(30)
    return [name for name in os.listdir(broker.folder) if name.startswith("core")]


def test_a_broker_with_keys_leaves_no_core_file(start):
    limits = {resource.RLIMIT_CORE: resource.RLIM_INFINITY}
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        pytest.skip("core files are limited on this machine")
    with open("/proc/sys/kernel/core_pattern") as file:
        if not file.read().startswith("core"):
            pytest.skip("core files of this machine go to another place")
    broker = start(limits=limits)
    path = broker.key("web-1", "produce")
    KeyClient(broker.tcp, path, "producer").enqueue()
    assert ended_by(broker, signal.SIGSEGV) == []
    # Without keys there is one, so this test would see it.
    with open(broker.config) as file:
        text = file.read().replace(f', "{broker.tcp}"', "")
    head, _, tail = text.partition("[access]")
    with open(broker.config, "w") as file:
        file.write(head + tail[tail.index("[http]"):])
    broker.start()
    Client(broker.endpoint, "producer").enqueue()
    assert ended_by(broker, signal.SIGSEGV) != []


def changed(path, *changes):
    with open(path) as file:
        text = file.read()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    with open(path, "w") as file:
        file.write(text)


OPEN_TO_OTHERS = " holds a secret and other users can access it: run chmod 600 on it"
MISTAKES = {
    "readable by others": (lambda path: os.chmod(path, 0o644), OPEN_TO_OTHERS),
    "readable by the group": (lambda path: os.chmod(path, 0o640), OPEN_TO_OTHERS),
    "missing": (os.remove, " cannot be read: No such file or directory"),
    "a folder": (lambda path: (os.remove(path), os.mkdir(path, 0o700)), " is not a file"),
    "empty": (lambda path: os.truncate(path, 0),
              ": public_key must have 40 characters, as millrace keys new wrote them"),
    "no TOML": (lambda path: changed(path, ("secret_key = ", "secret_key ")), ":4: is not a key file"),
    "a table without a name": (lambda path: changed(path, ("name =", "[*\nname =")),
                               ":2: is not a key file"),
    "letters beyond ASCII": (lambda path: changed(path, ("name =", "name\u00e9 =")),
                             ":2: has a character that is not ASCII, which no key file needs"),
    "too large": (lambda path: os.truncate(path, 70_000), " is larger than 64 KiB: it is no key file"),
    "a secret cut short": (lambda path: changed(path, ('"\nbroker_public_keys', '\nbroker_public_keys')),
                           ":4: is not a key file"),
    "the public key of another": (lambda path: changed(
        path, (field(path, "public_key").decode(), field(path, "broker_public_keys").decode())),
        ":4: secret_key does not belong to public_key"),
    "no key of the broker": (lambda path: changed(path, ("broker_public_keys", "broker_keys")),
                             ": broker_public_keys is missing"),
    "a key of the broker that is none": (lambda path: changed(
        path, (field(path, "broker_public_keys").decode(), "abc")),
        ":5: broker_public_keys must have 40 characters each"),
    "addresses that are none": (lambda path: changed(path, ('brokers = ["tcp', 'brokers = [7, "tcp')),
                                ":6: brokers must be a list of strings"),
    "a name that is none": (lambda path: changed(path, ('name = "web-1"', "name = 1")),
                            ":2: name must be a string"),
    "a choice that is none": (lambda path: changed(path, ('name =', 'ipc = "yes"\nname =')),
                              ":2: ipc must be true or false"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_key_file_of_a_client_that_is_wrong_is_named(broker, tmp_path, mistake):
    path = copied(broker.key("web-1", "look"), tmp_path, "web-1.key")
    secret = field(path, "secret_key").decode()
    change, words = MISTAKES[mistake]
    change(path)
    for code, *command in ((1, "millrace", "--key-file", path, "topics"),
                           (64, "millrace-worker", "--topic", "t", "--exec", "cat", "--key-file", path)):
        ended = subprocess.run([f"{BIN}/{command[0]}", *command[1:]], capture_output=True, text=True,
                               timeout=60, check=False)
        assert ended.returncode == code and path + words in ended.stderr, (ended.returncode, ended.stderr)
        assert secret[:12] not in ended.stderr + ended.stdout
    assert path + words in broker.millrace("topics", code=1, MILLRACE_KEY_FILE=path)
    # The gateway says so and answers every request with an error, as where no broker can be reached.
    gateway = subprocess.Popen([f"{BIN}/millrace-gateway", "--listen", "127.0.0.1:0", "--drain", "0s",
                                "--key-file", path], stderr=subprocess.PIPE, text=True)
    try:
        assert path + words in gateway.stderr.readline()
    finally:
        gateway.send_signal(signal.SIGTERM)
        said = gateway.communicate(timeout=40)[1]
    assert secret[:12] not in said


def test_a_key_file_of_another_broker_and_one_without_keys_are_told(start):
    broker, other = start(), start()
    path = other.key("web-1", "look")
    said = broker.millrace("--key-file", path, "--broker", broker.tcp, "--timeout", "2s", "topics", code=69)
    assert (f"the broker at {broker.tcp} does not have the key that the file {path} names, or uses no "
            "keys: the file may be of another broker") in said
    said = broker.millrace("--broker", broker.tcp, "--timeout", "2s", "topics", code=69)
    assert f"the broker at {broker.tcp} refuses connections without a key" in said
    unknown = copied(broker.key("x-1", "look"), broker.folder, "copy.key")
    os.remove(f"{broker.keys}/keys/x-1.toml")
    broker.knows(0)
    said = broker.millrace("--key-file", unknown, "--timeout", "2s", "topics", code=69)
    assert f"the broker at {broker.tcp} refuses the key of x-1: it is unknown there" in said


BROKER_MISTAKES = {
    "readable by others": (lambda path: os.chmod(path, 0o604), OPEN_TO_OTHERS),
    "missing": (os.remove, " cannot be read: No such file or directory"),
    "no key": (lambda path: changed(path, ('"\n', '0"\n')),
               ":2:14: secret_key must have the 40 characters that millrace keys init wrote"),
    "another word": (lambda path: changed(path, ("secret_key", "secret")),
                     ":2:1: unknown key 'secret'; known keys here: secret_key"),
    "no TOML": (lambda path: changed(path, (' = "', " = ")), ":2:"),
}


@pytest.mark.parametrize("mistake", BROKER_MISTAKES)
def test_the_brokers_key_file_is_checked_by_both_the_check_and_the_start(start, mistake):
    broker = start()
    assert broker.stop() == 0
    path = f"{broker.keys}/broker.key"
    secret = field(path, "secret_key").decode()
    change, words = BROKER_MISTAKES[mistake]
    change(path)
    for options in (["--check-config"], []):
        ended = subprocess.run([f"{BIN}/millraced", "--config", broker.config, *options], timeout=60,
                               capture_output=True, text=True, check=False)
        assert ended.returncode == 78, ended.stderr
        assert path + words in ended.stderr, ended.stderr
        assert secret[:12] not in ended.stderr + ended.stdout


def test_the_check_of_the_settings_names_every_mistake_in_the_folder_of_keys(broker):
    broker.key("good", "look")
    folder = f"{broker.keys}/keys"
    with open(f"{folder}/bad.toml", "w") as file:
        file.write('public_key = "x"\nmay = ["boss"]\ntopics = ["a b"]\nexpires = "2027-01-31"\n')
    with open(f"{folder}/open.toml", "w") as file:
        file.write("")
    os.chmod(f"{folder}/open.toml", 0o666)
    ended = subprocess.run([f"{BIN}/millraced", "--config", broker.config, "--check-config"], timeout=60,
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 78
    places = [line.split(": ")[0] for line in ended.stderr.splitlines()]
    assert places[:4] == [f"{folder}/bad.toml:{at}" for at in ("1:14", "2:8", "3:11", "4:11")], places
    assert f"{folder}/open.toml can be changed by every user of this machine" in ended.stderr
    # The running broker says the same, and goes on with the keys that are well.
    broker.logged("unknown role 'boss'")
    broker.millrace("--key-file", f"{broker.folder}/good.key", "topics")
    os.remove(f"{folder}/bad.toml")
    os.remove(f"{folder}/open.toml")
    ended = subprocess.run([f"{BIN}/millraced", "--config", broker.config, "--check-config"], timeout=60,
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr

"""Tokens of the gateway, and the audit log that a broker writes: real programs, HTTP by a client of the standard library."""
import json
import subprocess
import urllib.error
import urllib.request

import pytest

from millrace_wire import BIN, Broker


def millrace(*arguments):
    return subprocess.run([f"{BIN}/millrace", *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.fixture
def broker():
    made = Broker().start()
    yield made
    made.close()


@pytest.fixture
def gateway(broker, tmp_path):
    """A gateway that requires tokens; its address and the folder of its keys."""
    folder = str(tmp_path / "etc")
    assert millrace("keys", "init", "--dir", folder).returncode == 0
    process = subprocess.Popen(
        [f"{BIN}/millrace-gateway", "--listen", "127.0.0.1:0", "--keys-dir", f"{folder}/keys", "--drain", "0ms",
         "--broker", broker.endpoint], stderr=subprocess.PIPE, text=True)
    try:
        address = next(line for line in process.stderr if "listening on" in line).split()[-1]
        yield address, folder
    finally:
        process.terminate()
        process.communicate(timeout=30)


def token(folder, name, *options):
    path = f"{folder}/{name}.token"
    made = millrace("keys", "new", name, "--token", "--dir", folder, "--out", path, *options)
    assert made.returncode == 0, made.stderr
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def ask(address, path, bearer=None, method="GET", body=None):
    request = urllib.request.Request(address + path, method=method, data=body and body.encode())
    request.add_header("Content-Type", "application/json")
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(), refused.headers


def until_known(address, bearer):
    while ask(address, "/metrics", bearer)[0] == 401:  # the gateway sees a new key within a second
        pass


JOB = '{"payload": 1}'


def test_a_token_allows_its_roles_and_topics_alone(gateway):
    address, folder = gateway
    shop = token(folder, "shop", "--may", "produce,look", "--topics", "mail.*")
    until_known(address, shop)
    for wrong in (None, shop[:-1], shop + "0", "x"):
        status, body, headers = ask(address, "/v1/topics/mail.a/jobs", wrong, "POST", JOB)
        assert status == 401 and json.loads(body)["code"] == "unauthorized"
        assert headers["WWW-Authenticate"].startswith("Bearer") and shop not in body
    status, body, _ = ask(address, "/v1/topics/mail.a/jobs", shop, "POST", JOB)
    job = json.loads(body)["id"]
    assert status == 201 and ask(address, f"/v1/jobs/{job}", shop)[0] == 200
    assert ask(address, "/v1/topics/other/jobs", shop, "POST", JOB)[0] == 403
    assert ask(address, "/v1/jobs/other/0/1", shop)[0] == 403
    assert ask(address, f"/v1/jobs/{job}", shop, "DELETE")[0] == 403
    assert ask(address, "/healthz")[0] == 200 and ask(address, "/metrics")[0] == 401
    assert millrace("keys", "revoke", "shop", "--dir", folder).returncode == 0
    while ask(address, f"/v1/jobs/{job}", shop)[0] == 200:
        pass
    status, body, _ = ask(address, f"/v1/jobs/{job}", shop)
    assert status == 401 and "was revoked" in json.loads(body)["detail"]


def test_over_its_quota_a_token_gets_429(gateway):
    address, folder = gateway
    bulk = token(folder, "bulk", "--may", "produce,look", "--topics", "*")
    with open(f"{folder}/keys/bulk.toml", "a", encoding="utf-8") as file:
        file.write("[quota]\nenqueues_per_second = 1\n")
    until_known(address, bulk)
    answers = [ask(address, "/v1/topics/t/jobs", bulk, "POST", f"[{','.join([JOB] * 100)}]") for _ in range(2)]
    while answers[-1][0] == 201:  # the quota was not read yet
        answers.append(ask(address, "/v1/topics/t/jobs", bulk, "POST", f"[{','.join([JOB] * 100)}]"))
    status, body, headers = answers[-1]
    assert status == 429 and json.loads(body)["code"] == "overloaded" and int(headers["Retry-After"]) >= 1


def test_the_broker_records_acts_before_it_answers(broker):
    at = ["--broker", broker.endpoint]
    assert millrace(*at, "pause", "t").returncode == 0
    assert millrace(*at, "cancel", "t/0/99").returncode == 2
    assert millrace(*at, "enqueue", "t", "hello").returncode == 0
    lines = [json.loads(line) for line in millrace("--json", "audit", "--dir", f"{broker.folder}/audit")
             .stdout.splitlines()]
    acts = [(line["verb"], line["on"], line["result"]) for line in lines]
    assert ("pause", "t", "ok") in acts and ("cancel", "t/0/99", "not_found") in acts
    assert not any(verb == "enqueue" for verb, _, _ in acts)
    assert all(line["who"].startswith("local uid") for line in lines if line["verb"] in ("pause", "cancel"))
    assert millrace("audit", "verify", "--dir", f"{broker.folder}/audit").returncode == 0

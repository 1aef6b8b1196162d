"""HTTPS at the broker's port: curl and Prometheus scrape it, and its settings are checked."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

import pytest

from certificates import Authority
from millrace_wire import BIN
from test_admin import HTTP, start, until  # noqa: F401  (a fixture)
from test_proxies import free_port

PATIENCE_S = 30


@pytest.fixture(scope="module")
def authority():
    folder = tempfile.mkdtemp(prefix="mr-")
    made = Authority(folder)
    made.issue("one")
    yield made
    shutil.rmtree(folder)


def settings(authority, extra=""):
    return (f'{HTTP}tls_cert_file = "{authority.folder}/one.pem"\n'
            f'tls_key_file = "{authority.folder}/one.key"\n{extra}')


def port_of(broker):
    return int(broker.logged("on https port")["message"].rsplit(" ", 1)[1])


def curl(authority, port, path, *options):
    return subprocess.run(["curl", "-sS", "--cacert", authority.file, *options, f"https://127.0.0.1:{port}{path}"],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_curl_and_promtool_read_it(start, authority):
    broker = start(extra=settings(authority))
    port = port_of(broker)
    assert curl(authority, port, "/readyz").stdout.startswith("ok")
    page = curl(authority, port, "/metrics").stdout
    judged = subprocess.run(["promtool", "check", "metrics"], input=page.encode(), capture_output=True,
                            timeout=PATIENCE_S, check=False)
    assert judged.returncode == 0 and "millrace_connections " in page, judged.stderr
    told = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{port}/readyz"], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=True)
    assert "https://" in told.stdout


def test_prometheus_scrapes_it(start, authority, tmp_path):
    port, own = port_of(start(extra=settings(authority))), free_port()
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: millrace\n  scheme: https\n"
        f"  tls_config: {{ca_file: {authority.file}}}\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
    prometheus = subprocess.Popen(
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{own}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end, found = time.monotonic() + PATIENCE_S, []
        while not found:
            assert time.monotonic() < end and prometheus.poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{own}/api/v1/query?query=millrace_connections",
                                            timeout=PATIENCE_S) as answer:
                    found = json.loads(answer.read())["data"]["result"]
            except OSError:
                pass  # it does not listen yet
    finally:
        prometheus.terminate()
        prometheus.wait(PATIENCE_S)


def test_the_client_is_in_the_debug_log(start, authority):
    debug = '[log]\nlevel = "debug"\n'
    spoofed = ["-H", "X-Forwarded-For: 9.9.9.9", "-H", "X-Forwarded-Proto: http"]
    broker = start(extra=settings(authority) + debug)
    curl(authority, port_of(broker), "/readyz", *spoofed)
    assert broker.logged("GET /readyz")["message"] == "127.0.0.1 https GET /readyz 200"
    broker = start(extra=settings(authority, 'trusted_proxies = ["10.0.0.0/8", "127.0.0.1"]\n') + debug)
    curl(authority, port_of(broker), "/readyz", *spoofed)
    assert broker.logged("GET /readyz")["message"] == "9.9.9.9 http GET /readyz 200"


def test_a_reload_reads_the_certificate_and_a_broken_one_changes_nothing(start, authority, tmp_path):
    certificate, key = (shutil.copy(f"{authority.folder}/one.{end}", tmp_path) for end in ("pem", "key"))
    broker = start(extra=f'{HTTP}tls_cert_file = "{certificate}"\ntls_key_file = "{key}"\n')
    port = port_of(broker)
    broker.process.send_signal(signal.SIGHUP)  # also where nothing has changed

    def reads():
        with open(broker.log) as log:
            return log.read().count("is in use, valid until")
    until(lambda: reads() == 2, lambda: f"the certificate was read {reads()} times")
    os.chmod(key, 0o644)
    broker.process.send_signal(signal.SIGHUP)
    line = broker.logged("accessible to other users")
    assert line["level"] == "error" and "previous certificate stays in use" in line["message"]
    assert curl(authority, port, "/healthz").stdout.startswith("ok")


def test_a_certificate_that_cannot_be_used_ends_the_start(start, authority):
    broker = start(extra=HTTP)
    broker.stop()
    with open(broker.config) as file:
        text = file.read()
    with open(broker.config, "w") as file:
        file.write(text.replace(HTTP, f"{HTTP}tls_cert_file = '{authority.file}'\n"
                                      f"tls_key_file = '{authority.folder}/one.key'\n"))
    for options, code in ([], 78), (["--check-config"], 0):
        ended = subprocess.run([f"{BIN}/millraced", "--config", broker.config, *options], capture_output=True,
                               text=True, timeout=PATIENCE_S, check=False)
        assert ended.returncode == code and "both files must be of one pair" in ended.stderr
    assert ended.stderr.startswith("note: ")


@pytest.mark.parametrize("text, place", [
    ("tls_cert_file = 'c'", ":5:17: tls_key_file is missing"),
    ("tls_key_file = 'k'", ":5:16: tls_cert_file is missing"),
    ("tls_cert_file = ''\ntls_key_file = 'k'", ":5:17: tls_cert_file must be the path of a file"),
    ("tls_cert_file = 'c'\ntls_key_file = 7", ":6:16: tls_key_file must be the path of a file"),
    ("trusted_proxies = '::1'", ":5:19: trusted_proxies must be a list"),
    ("trusted_proxies = ['::1', 'here']", ":5:27: a trusted proxy must be"),
    ("trusted_proxies = ['::1', '10.0.0.1/8']", ":5:27: a trusted proxy must be"),
    ("trusted_proxies = [1]", ":5:20: a trusted proxy must be"),
    ("cert = 'c'", "known keys here: listen, tls_cert_file, tls_key_file, trusted_proxies"),
])
def test_wrong_settings_are_refused_with_their_place(tmp_path, text, place):
    path = tmp_path / "c.toml"
    path.write_text(f"[broker]\ndata_dir='d'\n[http]\nlisten = '127.0.0.1:7380'\n{text}\n")
    run = subprocess.run([f"{BIN}/millraced", "--config", str(path), "--check-config"], capture_output=True,
                         text=True, timeout=PATIENCE_S, check=False)
    assert run.returncode == 78 and place in run.stderr


def test_changed_settings_need_a_restart(start, authority):
    broker = start(extra=settings(authority))
    broker.rewrite((f'"{authority.folder}/one.pem"', '"/elsewhere"'),
                   ("tls_key_file", 'trusted_proxies = ["::1"]\ntls_key_file'))
    needed = broker.logged("need a restart")["message"]
    assert "http.tls_cert_file" in needed and "http.trusted_proxies" in needed

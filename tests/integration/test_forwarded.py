"""The client behind HAProxy and nginx, as docs/http.md configures them, and one that writes the headers itself."""
import shutil
import socket
import subprocess
import tempfile

import pytest

from certificates import Authority
from test_gateway import gateway  # noqa: F401  (a fixture)
from test_http import SHORT_S, to_end
from test_proxies import PATIENCE_S, command, configuration, free_port

CLIENT = "127.0.0.2"  # another address of this machine
SPOOFED = "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n"


@pytest.fixture(scope="module")
def authority():
    folder = tempfile.mkdtemp(prefix="mr-")
    made = Authority(folder)
    certificate, key = made.issue("one")
    with open(certificate) as one, open(key) as two, open(f"{folder}/both.pem", "w") as both:
        both.write(one.read() + two.read())  # as HAProxy has it
    yield made
    shutil.rmtree(folder)


def logged(g, port, headers="", source=CLIENT, tls=None):
    """The gateway's line about a request that is sent to this port."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=SHORT_S, source_address=(source, 0))
    with tls.wrap_socket(plain, server_hostname="localhost") if tls else plain as connection:
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: a\r\n{headers}Connection: close\r\n\r\n".encode())
        assert to_end(connection).startswith(b"HTTP/1.1 200")
    return g.says(" GET /healthz").split(": ", 1)[1].strip()


def test_nobody_is_trusted_unless_named(gateway):
    g = gateway("--log-requests")
    assert logged(g, g.port, SPOOFED) == f"{CLIENT} http GET /healthz 200"
    g = gateway("--log-requests", "--trusted-proxies", "127.0.0.1,10.0.0.0/8", "--trusted-proxies", "::1")
    assert logged(g, g.port, SPOOFED) == f"{CLIENT} http GET /healthz 200"
    assert logged(g, g.port, SPOOFED, "127.0.0.1") == "9.9.9.9 https GET /healthz 200"
    assert logged(g, g.port, "X-Forwarded-For: 9.9.9.9, 8.8.8.8, 10.1.1.1\r\n", "127.0.0.1").startswith("8.8.8.8 http ")
    assert logged(g, g.port, "X-Forwarded-For: nonsense\r\n", "127.0.0.1").startswith("127.0.0.1 http ")


def test_a_line_of_the_log_stays_one_line(gateway):
    g = gateway("--log-requests")
    assert g.ask("GET", "/a%0d%0aforged%20line%1b%5b")[0] == 404
    assert "GET /a%0D%0Aforged%20line%1B[ 404" in g.says(" GET ")


class Front:
    """A proxy in front of one gateway that trusts it."""

    def __init__(self, kind, gateway, folder, authority=None):
        pair = [f"{authority.folder}/one.pem", f"{authority.folder}/one.key"] if authority else []
        self.gateway = gateway("--log-requests", "--trusted-proxies", "127.0.0.1",
                               *(["--tls-cert", pair[0], "--tls-key", pair[1]] if pair else []))
        self.port = free_port()
        text = configuration(kind, [self.port, self.gateway.port, self.gateway.port])
        if authority:
            text = getattr(self, kind)(text, authority)
        self.proxy = subprocess.Popen(command(kind, folder, text), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

    def haproxy(self, text, authority):
        """With HTTPS on both sides."""
        listens, server = f"bind 127.0.0.1:{self.port}", f"127.0.0.1:{self.gateway.port}"
        text = text.replace(listens, f"{listens} ssl crt {authority.folder}/both.pem")
        return text.replace(server, f"{server} ssl verify required ca-file {authority.file} verifyhost localhost")

    def nginx(self, text, authority):
        listens = f"listen 127.0.0.1:{self.port}"
        text = text.replace(f"{listens};", f"{listens} ssl;\nssl_certificate {authority.folder}/one.pem;\n"
                                           f"ssl_certificate_key {authority.folder}/one.key;")
        return text.replace("proxy_pass http://gateways;", "proxy_pass https://gateways; proxy_ssl_verify on;\n"
                            f"proxy_ssl_trusted_certificate {authority.file}; proxy_ssl_name localhost;")

    def until_up(self, tls):
        """Until it answers, and has seen that the gateway does."""
        for _ in range(100_000):
            try:
                return logged(self.gateway, self.port, tls=tls)
            except (OSError, AssertionError):
                if self.proxy.poll() is not None:
                    raise
        raise AssertionError("the proxy does not answer")

    def close(self):
        self.proxy.terminate()
        self.proxy.wait(PATIENCE_S)


@pytest.fixture
def front(gateway, tmp_path):
    made = []

    def make(kind, authority=None):
        tmp_path.chmod(0o755)
        made.append(Front(kind, gateway, tmp_path, authority))
        return made[-1]
    yield make
    for f in made:
        f.close()


@pytest.mark.parametrize("kind", ["haproxy", "nginx"])
def test_the_client_behind_a_proxy_is_known(front, kind):
    f = front(kind)
    f.until_up(None)
    for headers in ("", SPOOFED, "X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-For: nonsense\r\n"):
        assert logged(f.gateway, f.port, headers) == f"{CLIENT} http GET /healthz 200"


@pytest.mark.parametrize("kind", ["haproxy", "nginx"])
def test_a_client_that_came_by_https_is_known(front, authority, kind):
    tls = authority.context()
    f = front(kind, authority)
    f.until_up(tls)
    assert logged(f.gateway, f.port, SPOOFED.replace("https", "http"), tls=tls) == f"{CLIENT} https GET /healthz 200"

"""Certificates for the tests, made by the openssl command: an authority, and servers that it signs."""
import os
import ssl
import subprocess

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
NAMES = "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost"


def openssl(*arguments, days_ago=0):
    clock = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"-{days_ago}d"} if days_ago else {}
    subprocess.run(["openssl", *arguments], check=True, timeout=60, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=dict(os.environ, **clock))


class Authority:
    """An authority in a folder; file is what its clients trust."""

    def __init__(self, folder):
        self.folder, self.file, self.key = str(folder), f"{folder}/authority.pem", f"{folder}/authority.key"
        openssl("req", "-x509", *EC, "-nodes", "-keyout", self.key, "-out", self.file, "-days", "2",
                "-subj", "/CN=Millrace tests")

    def context(self, **settings):
        """Of a client that trusts it."""
        made = ssl.create_default_context(cafile=self.file)
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    def issue(self, name, *options, kind=tuple(EC), days_ago=0):
        """(certificate, key) of a server on this machine, the key for its owner alone."""
        certificate, key = f"{self.folder}/{name}.pem", f"{self.folder}/{name}.key"
        password = () if "-passout" in options else ("-nodes",)
        openssl("req", "-x509", "-CA", self.file, "-CAkey", self.key, *kind, *password, "-keyout", key,
                "-out", certificate, "-days", "2", "-subj", f"/CN={name}", "-addext", NAMES,
                "-addext", "basicConstraints=critical,CA:FALSE", *options, days_ago=days_ago)
        os.chmod(key, 0o600)
        return certificate, key

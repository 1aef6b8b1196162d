"""The packages as files: contents, metadata for dpkg, and the result of lintian."""
import gzip
import os
import re
import subprocess

import pytest

from conftest import NAMES, ROOT, said

UNITS = "/usr/lib/systemd/system/"
ARCH = said("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
LIB = f"/usr/lib/{ARCH}/"
HOLDS = {
    "millrace-broker": {
        "/usr/bin/millraced", "/etc/millrace/millraced.toml", UNITS + "millraced.service",
        UNITS + "millrace-backup.service", UNITS + "millrace-backup.timer",
        "/usr/lib/sysusers.d/millrace.conf", "/usr/lib/tmpfiles.d/millrace.conf",
        "/usr/share/man/man8/millraced.8.gz"},
    "millrace-worker": {
        "/usr/bin/millrace-worker", UNITS + "millrace-worker@.service",
        "/usr/lib/millrace/worker-instance", "/usr/lib/sysusers.d/millrace-worker.conf",
        "/usr/lib/tmpfiles.d/millrace-worker.conf", "/usr/share/man/man1/millrace-worker.1.gz"},
    "millrace-gateway": {
        "/usr/bin/millrace-gateway", UNITS + "millrace-gateway.service",
        "/etc/default/millrace-gateway", "/usr/lib/sysusers.d/millrace-gateway.conf",
        "/usr/share/man/man8/millrace-gateway.8.gz"},
    "millrace-cli": {
        "/usr/bin/millrace", "/usr/share/man/man1/millrace.1.gz",
        "/usr/share/bash-completion/completions/millrace",
        "/usr/share/zsh/vendor-completions/_millrace",
        "/usr/share/fish/vendor_completions.d/millrace.fish"},
    "libmillrace0": {LIB + "libmillrace.so.0"},
    "libmillrace-dev": {
        LIB + "libmillrace.a", LIB + "libmillrace.so", LIB + "cmake/millrace/millraceConfig.cmake",
        LIB + "pkgconfig/millrace.pc", LIB + "pkgconfig/millrace-static.pc"},
}
CONFFILES = {"millrace-broker": ["/etc/millrace/millraced.toml"],
             "millrace-gateway": ["/etc/default/millrace-gateway"]}


def test_they_are_all_there_and_of_this_version(packages):
    assert sorted(packages) == sorted(NAMES)
    with open(f"{ROOT}/CMakeLists.txt", encoding="utf-8") as file:
        version = re.search(r"VERSION ([\d.]+) LANG", file.read()).group(1)
    assert {p.fields["Version"] for p in packages.values()} == {version + "-1"}


@pytest.mark.parametrize("name", NAMES)
def test_what_it_holds(packages, name):
    package = packages[name]
    assert not HOLDS[name] - package.files
    for kind in ("copyright", "changelog.Debian.gz"):
        assert f"/usr/share/doc/{name}/{kind}" in package.files
    assert re.match("durable job platform: .", package.fields["Description"])
    # Nothing of one package is in another, and nothing writable by everybody, nor of anybody else.
    for other in packages.values():
        assert other is package or not package.files & other.files
    for mode, owner, where in package.contents:
        assert owner == "root/root", where
        assert mode.startswith("l") or mode[8] == "-", where


@pytest.mark.parametrize("name", NAMES)
def test_settings_survive(packages, name):
    """dpkg asks before it changes a file that was edited: for every file in /etc."""
    package = packages[name]
    listed = package.read("DEBIAN/conffiles").split() if package.has("DEBIAN/conffiles") else []
    assert listed == CONFFILES.get(name, [])
    assert sorted(f for f in package.files if f.startswith("/etc/")) == sorted(listed)


@pytest.mark.parametrize("name", NAMES)
def test_scripts(packages, name):
    package = packages[name]
    for script in ("preinst", "postinst", "prerm", "postrm"):
        if not package.has("DEBIAN/" + script):
            continue
        path = os.path.join(package.root, "DEBIAN", script)
        subprocess.run(["sh", "-n", path], check=True)
        text = package.read("DEBIAN/" + script)
        assert text.startswith("#!/bin/sh\n") and "\nset -e\n" in text
        assert os.stat(path).st_mode & 0o777 == 0o755
        # Where systemd does not run, nothing asks it.
        assert "systemctl" not in text or "[ -d /run/systemd/system ]" in text


@pytest.mark.parametrize("name", ["millrace-broker", "millrace-worker", "millrace-gateway"])
def test_systemd_is_told_at_an_upgrade_too(packages, name):
    text = packages[name].read("DEBIAN/postinst")
    told, asked = text.index("daemon-reload"), text.index('"$2"')
    assert told < asked and "restart" in text[asked:]
    assert "init-system-helpers" in packages[name].fields["Depends"]


def test_the_library_tells_ldconfig(packages):
    library = packages["libmillrace0"]
    assert "activate-noawait ldconfig" in library.read("DEBIAN/triggers").splitlines()
    assert not library.has("DEBIAN/postinst")
    version = library.fields["Version"]
    assert library.read("DEBIAN/shlibs") == f"libmillrace 0 libmillrace0 (= {version})\n"
    assert f"libmillrace0 (= {version})" in packages["libmillrace-dev"].fields["Depends"]


def exported(packages):
    path = packages["libmillrace0"].root + LIB + "libmillrace.so.0"
    assert "[libmillrace.so.0]" in said("readelf", "-d", path)
    return [line.split(None, 2)[2] for line in
            said("nm", "-DC", "--defined-only", path).splitlines() if " A " not in line]


def test_exports_are_public_names_only(packages):
    """All of them stand in a header, and nothing of the wire, of ZeroMQ or of a class's inside."""
    headers = "".join(packages["libmillrace-dev"].read(f) for f in packages["libmillrace-dev"].files
                      if f.startswith("/usr/include/millrace/"))
    names = exported(packages)
    assert len(names) > 30
    for name in names:
        plain = re.sub(r"^(typeinfo name|typeinfo|vtable) for ", "", name)
        assert plain.startswith("millrace::"), name
        assert not re.search(r"::(wire|Impl)\b|zmq|\(anonymous", plain), name
        word = re.match(r"millrace::(?:\w+::)*~?(\w+)", plain).group(1)
        assert re.search(rf"\b{word}\b", headers), name


def test_what_a_header_declares_is_exported(packages):
    """A function of a public header is marked, has its body there, or is a template."""
    development = packages["libmillrace-dev"]
    for path in (f for f in development.files if f.startswith("/usr/include/millrace/")):
        text = re.sub(r"//.*", "", development.read(path))
        for sentence in re.findall(r"(?:^|(?<=[;}]))\s*([^;{}#]*\([^;{}]*\))\s*(?:const)?;", text):
            inside = text[:text.index(sentence)]
            if inside.count("{") - inside.count("}") != 1:
                continue  # of a class, which is marked as a whole, or of a body
            assert "MILLRACE_EXPORT" in sentence or "friend" in sentence, f"{path}: {sentence}"


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("millrace")])
def test_programs_need_no_library_of_ours(packages, name):
    """Linked statically: a program and the library are upgraded apart."""
    assert "libmillrace" not in packages[name].fields["Depends"]
    assert "libc6" in packages[name].fields["Depends"]
    program = next(f for f in packages[name].files if f.startswith("/usr/bin/"))
    assert ", stripped" in said("file", packages[name].root + program)


def test_lintian(packages):
    """No error and no warning; a first upload to Debian would name a bug, and this is none."""
    ended = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning",
                            "--suppress-tags", "initial-upload-closes-no-bugs",
                            *(p.path for p in packages.values())],
                           capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


PROGRAMS = [("millrace-broker", "millraced", "8"), ("millrace-worker", "millrace-worker", "1"),
            ("millrace-gateway", "millrace-gateway", "8"), ("millrace-cli", "millrace", "1")]


def options_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def page_of(package, program, section):
    path = f"{package.root}/usr/share/man/man{section}/{program}.{section}.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        text = file.read()
    warned = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", path], timeout=60,
                            capture_output=True, text=True, check=True,
                            env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8")).stderr \
        if os.path.exists("/usr/bin/man") else ""
    assert warned == ""
    return re.sub(r"\\f.", "", text).replace("\\-", "-")


@pytest.mark.parametrize("package, program, section", PROGRAMS)
def test_pages_and_help_name_the_same_options(packages, package, program, section):
    page = page_of(packages[package], program, section)
    binary = f"{packages[package].root}/usr/bin/{program}"
    known = options_of(said(binary, "--help"))
    commands = re.findall(r"^  ([a-z]+)  ", said(binary, "--help").partition("Subcommands:")[2], re.M)
    for command in commands:
        known |= options_of(said(binary, command, "--help"))
        assert re.search(rf"\b{command}\b", page), command
    # An option of a command may be described with the command's name alone.
    assert not options_of(page) - known - {"--version", "--help"} or program == "millrace", \
        options_of(page) - known
    if program != "millrace":
        assert not known - options_of(page), known - options_of(page)


@pytest.mark.parametrize("shell, path", [
    ("bash", "bash-completion/completions/millrace"), ("zsh", "zsh/vendor-completions/_millrace"),
    ("fish", "fish/vendor_completions.d/millrace.fish")])
def test_completion_knows_every_command(packages, shell, path):
    package = packages["millrace-cli"]
    text = package.read("/usr/share/" + path)
    listed = said(package.root + "/usr/bin/millrace", "--help").partition("Subcommands:")[2]
    commands = re.findall(r"^  ([a-z]+)  ", listed, re.M)
    assert len(commands) > 10
    for command in commands:
        assert re.search(rf"\b{command}\b", text), command
    if shell == "zsh":
        assert text.startswith("#compdef millrace\n")


def test_bash_completes(packages):
    path = packages["millrace-cli"].root + "/usr/share/bash-completion/completions/millrace"
    script = f"source '{path}'; COMP_WORDS=(millrace ba); COMP_CWORD=1; _millrace; echo ${{COMPREPLY[*]}}"
    assert said("bash", "-c", script) == "backup\n"

"""Shared by the package tests: the files of build/packages, their contents, and programs as ELF files."""
import glob
import os
import re
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
NAMES = ("libmillrace-dev", "libmillrace0", "millrace-broker", "millrace-cli", "millrace-gateway",
         "millrace-worker")


def said(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300,
                          **more).stdout


class Package:
    def __init__(self, path, folder):
        self.path, self.name = path, os.path.basename(path).split("_")[0]
        self.root = os.path.join(folder, self.name)
        said("dpkg-deb", "-R", path, self.root)
        control = self.read("DEBIAN/control")
        self.fields = dict(re.findall(r"^(\S+): (.*)$", control, re.M))
        # (mode, owner, path) of each thing in it
        self.contents = []
        for line in said("dpkg-deb", "-c", path).splitlines():
            mode, owner, _, _, _, where = line.split(None, 5)
            self.contents.append((mode, owner, where.split(" -> ")[0].lstrip(".")))
        self.files = {where for mode, _, where in self.contents if not mode.startswith("d")}

    def read(self, path):
        with open(os.path.join(self.root, path.lstrip("/")), encoding="utf-8") as file:
            return file.read()

    def has(self, path):
        return os.path.lexists(os.path.join(self.root, path.lstrip("/")))


def is_elf(path):
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def elf_files(package):
    return [package.root + where for where in sorted(package.files) if is_elf(package.root + where)]


def readelf(option, path):
    return said("readelf", "--wide", option, path)


def build_id(path):
    return re.search(r"Build ID: (\w+)", readelf("--notes", path)).group(1)


def built_file(path):
    """The file of the build that a packaged one was made of, not stripped: that with its build id."""
    found = [file for folder in ("bin", "sdk") for file in glob.glob(f"{ROOT}/build/{folder}/*")
             if is_elf(file) and build_id(file) == build_id(path)]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("packages"))
    found = [Package(path, folder) for path in glob.glob(f"{ROOT}/build/packages/*.deb")]
    return {package.name: package for package in found}

"""Shared by the tests of the booted systemd."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from machine import PACKAGES, Machine  # noqa: E402


@pytest.fixture(scope="module")
def machine(request):
    """A machine for the tests of a file, which go on from one another."""
    booted = Machine(request.module.__name__.removeprefix("test_").replace("_", "-"))
    yield booted
    booted.close()


@pytest.fixture(scope="module")
def before():
    """The packages of the version before."""
    folder = os.path.join(PACKAGES, "before")
    if not os.path.isdir(folder):
        pytest.skip("the version before cannot be built: this clone has no history (shallow)")
    return "./before"


# Where the tests of a file go on from one another, what follows a failure says nothing.
broken = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed and getattr(item.module, "STEPS", False):
        broken.setdefault(item.module, item.name)


def pytest_runtest_setup(item):
    if item.module in broken:
        pytest.skip(f"{item.name}: it goes on from {broken[item.module]}, which failed")

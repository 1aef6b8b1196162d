"""What the tests of the booted systemd share."""
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

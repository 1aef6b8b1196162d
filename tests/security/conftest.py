"""Shared by the security tests: brokers with keys, which end with their test."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("support", "integration", "security"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))
from secure_bed import KeyedBroker  # noqa: E402


@pytest.fixture
def start():
    """A function that starts a broker; see KeyedBroker."""
    brokers = []

    def make(**options):
        brokers.append(KeyedBroker(**options))
        return brokers[-1].start()
    yield make
    for broker in brokers:
        broker.close()


@pytest.fixture(name="broker")
def broker_with_keys(start):
    return start()

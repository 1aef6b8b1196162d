"""Shared by the integration tests: the path of the protocol client, and a broker."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from millrace_wire import Broker  # noqa: E402


@pytest.fixture(params=[1, 2], ids=["one-shard", "two-shards"])
def broker(request):
    broker = Broker(shards=request.param).start()
    yield broker
    broker.close()

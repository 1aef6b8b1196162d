"""sdk/wire/vectors.json: the bytes decoded by another library, and a broker's answers to invalid ones."""
import json
import os

import msgpack
import pytest

from millrace_wire import ERROR, Client

with open(os.path.join(os.path.dirname(__file__), "..", "..", "sdk", "wire", "vectors.json")) as file:
    VECTORS = json.load(file)


def meaning(value):
    if isinstance(value, bytes):
        return {"$bin": value.hex()}
    if isinstance(value, dict):
        return {key: meaning(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [meaning(inner) for inner in value]
    return value


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda v: v["name"])
def test_a_good_vector_means_what_it_says(vector):
    assert msgpack.unpackb(bytes.fromhex(vector["header"])) == vector["header_means"]
    assert meaning(msgpack.unpackb(bytes.fromhex(vector["body"]))) == vector["body_means"]


def test_the_broker_answers_each_bad_vector_with_its_code(broker):
    client = Client(broker.endpoint)
    for vector in VECTORS["bad"]:
        client.socket.send_multipart([bytes.fromhex(vector["header"]), bytes.fromhex(vector["body"])])
        header, body = client.receive()
        assert header[1] == ERROR and body["code"] == vector["error"], (vector["name"], body)

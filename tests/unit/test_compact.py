"""JSON that is kept takes the memory of its length."""

import tracemalloc

import orjson

from common.compact import compact_json

VALUE = {"model": "m", "input": "word " * 1000}


def kept_bytes(made_by):
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = made_by(VALUE)
        return tracemalloc.get_traced_memory()[0] - before, kept
    finally:
        tracemalloc.stop()


def test_it_is_the_same_json_in_little_more_than_its_length():
    size, kept = kept_bytes(compact_json)
    assert kept == orjson.dumps(VALUE)
    assert size < 1.2 * len(kept)

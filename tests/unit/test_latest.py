"""A question that many ask at once, put once."""

import threading
from collections.abc import Iterator

import pytest

from common import latest
from common.latest import Latest


class Question:
    """Counts how often it is put; the first time it hangs until it is released."""

    def __init__(self) -> None:
        self.put = 0
        self.released = threading.Event()

    def __call__(self) -> int:
        self.put += 1
        number = self.put
        if number == 1:
            self.released.wait()
        return number


@pytest.fixture
def question() -> Iterator[Question]:
    asked = Question()
    yield asked
    asked.released.set()


def test_a_question_that_hangs_is_waited_for_and_not_repeated(question: Question) -> None:
    asked = Latest(question)
    answers = [asked.answer() for _ in range(20)]
    question.released.set()
    assert [each.result(10) for each in answers] == [1] * 20
    assert question.put == 1


def test_a_question_that_got_lost_is_put_again(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Latest(question)
    lost = asked.answer()
    monkeypatch.setattr(latest, "LOST_SECONDS", 0.0)
    assert asked.answer().result(10) == 2
    assert not lost.done()

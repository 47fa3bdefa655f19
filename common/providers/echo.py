"""The built-in provider: speaks the whole protocol with neither key nor network.

The model name is the script (``echo_script``), so the service can be tried, tested and measured.
"""

import hashlib
import threading
from collections import OrderedDict

import orjson

from common.errors import ProviderTimeout, ProviderUnreachable
from common.providers.base import ProviderAnswer, ProviderRequest, UpstreamCall
from common.providers.echo_answer import answer
from common.providers.echo_draft import new_id
from common.providers.echo_error import openai_error
from common.providers.echo_script import Scripted, scripted
from common.providers.echo_stream import HANG_SECONDS, EchoStream, cut_off, paced_events, silence


class EchoProvider:
    """Implements ``common.providers.base.Provider``; safe to share between threads."""

    def __init__(self, name: str = "echo") -> None:
        self.name = name
        self._failures = FailureCounter()

    def create(self, request: ProviderRequest, call: UpstreamCall) -> ProviderAnswer:
        """The whole answer, after the time that the script takes."""
        call.check()
        headers = _headers()
        script = scripted(request.model)
        self._fail_if_asked(script, request, headers)
        if script.name == "hang":
            call.sleep(HANG_SECONDS)
            raise ProviderTimeout("The echo provider was asked never to answer.")
        if script.name == "cut-stream":
            raise cut_off()
        if script.name == "slow":
            call.sleep(script.number)
        body = answer(script, request.model, request.body)
        return ProviderAnswer(body, orjson.dumps(body), headers)

    def stream(self, request: ProviderRequest, call: UpstreamCall) -> EchoStream:
        """The same answer as a stream; scripts that fail at once raise here."""
        call.check()
        headers = _headers()
        script = scripted(request.model)
        self._fail_if_asked(script, request, headers)
        if script.name == "hang":
            return EchoStream(silence(call), call, headers)
        response = answer(script, request.model, request.body)
        return EchoStream(paced_events(script, response, call), call, headers)

    def _fail_if_asked(
        self, script: Scripted, request: ProviderRequest, headers: dict[str, str]
    ) -> None:
        if script.name == "error":
            status = int(script.number)
            message = f"The echo provider was asked for an error {status}."
            raise openai_error(status, message, headers=headers)
        if script.name == "flaky" and self._is_flaky_now(request, int(script.number)):
            message = "The echo provider was asked to fail at first."
            raise openai_error(503, message, headers=headers)
        if script.name == "reset":
            raise ProviderUnreachable("The echo provider was asked to close the connection.")
        if script.name == "timeout":
            raise ProviderTimeout("The echo provider was asked to give no answer in time.")

    def _is_flaky_now(self, request: ProviderRequest, times: int) -> bool:
        if request.attempt:
            return request.attempt <= times
        return self._failures.fails(request.body, times)


class FailureCounter:
    """How often each body has failed already; the oldest are forgotten beyond ``most_bodies``."""

    def __init__(self, most_bodies: int = 1024) -> None:
        self._most_bodies = most_bodies
        self._failures: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def fails(self, body: dict[str, object], times: int) -> bool:
        """Count one call: True for the first ``times``, then False once, then from the start."""
        digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()
        with self._lock:
            failed = self._failures.pop(digest, 0)
            if failed >= times:
                return False
            self._failures[digest] = failed + 1
            while len(self._failures) > self._most_bodies:
                self._failures.popitem(last=False)
            return True


def _headers() -> dict[str, str]:
    return {"x-request-id": new_id("req")}

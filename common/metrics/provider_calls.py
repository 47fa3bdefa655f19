"""What is counted of providers: their calls and errors, tokens and cost."""

from collections import defaultdict
from functools import partial
from time import perf_counter
from typing import Literal, NamedTuple

from common.answers import Answer
from common.errors import CallAborted, MuninnError
from common.metrics import definitions as d
from common.metrics.bounded import OTHER, BoundedLabel
from common.metrics.cells import Cells, HistogramRows, Row, Rows
from common.metrics.requests import ProviderTime
from common.usage import NANO, Usage, usage_of

CallKind = Literal["whole", "stream", "background"]

MODELS_OF_A_PROVIDER = 100
CODES_OF_A_PROVIDER = 40


class ProviderMetrics:
    """Calls to providers, from a front or for a job."""

    def __init__(self, cells: Cells, provider_time: ProviderTime) -> None:
        self._provider_time = provider_time
        self._seconds = HistogramRows(cells, d.PROVIDER_SECONDS)
        self._errors = Rows(cells, d.PROVIDER_ERRORS)
        self._tokens = Rows(cells, d.TOKENS)
        self._cost = Rows(cells, d.COST_USD)
        self._spending: dict[tuple[str, str], _Spending] = {}
        self._models = defaultdict[str, BoundedLabel](partial(BoundedLabel, MODELS_OF_A_PROVIDER))
        self._codes = defaultdict[str, BoundedLabel](partial(BoundedLabel, CODES_OF_A_PROVIDER))

    def served(self, provider: str, kind: CallKind, began_at: float) -> None:
        """A call that began at this time (time.perf_counter()) has ended well."""
        seconds = perf_counter() - began_at
        self._provider_time.spend(kind, seconds)
        self._seconds[provider, kind, "ok"].observe(seconds)

    def broke(self, provider: str, kind: CallKind, began_at: float, error: BaseException) -> None:
        """The same of one that has ended with an error."""
        seconds = perf_counter() - began_at
        self._provider_time.spend(kind, seconds)
        is_ours = isinstance(error, CallAborted)
        self._seconds[provider, kind, "aborted" if is_ours else "error"].observe(seconds)
        if not is_ours:
            self.failed(provider, error)

    def failed(self, provider: str, error: BaseException) -> None:
        """A call was failed by its provider, or a stream broken off."""
        code = error.code if isinstance(error, MuninnError) else None
        self._errors[provider, self._codes[provider](code or type(error).__name__)].add()

    def answered(self, answer: Answer) -> None:
        """A call was answered whole."""
        by = answer.exchange
        if by is not None:
            used = usage_of(answer.response.get("usage"), answer.cost)
            self.spent(by.provider, by.model_deployment, used)

    def spent(self, provider: str, model: str, used: Usage) -> None:
        """A model has answered."""
        rows = self._spending.get((provider, model)) or self._spending_rows(provider, model)
        if used.input_tokens:
            rows.input_tokens.add(used.input_tokens)
        if used.output_tokens:
            rows.output_tokens.add(used.output_tokens)
        if used.nano_dollars:
            self._cost[provider, rows.model].add(used.nano_dollars / NANO)

    def _spending_rows(self, provider: str, model: str) -> "_Spending":
        label = self._models[provider](model)
        rows = _Spending(
            label, self._tokens[provider, label, "input"], self._tokens[provider, label, "output"]
        )
        if label != OTHER:
            self._spending[provider, model] = rows
        return rows


class _Spending(NamedTuple):
    """Where the tokens of a model are counted."""

    model: str
    input_tokens: Row
    output_tokens: Row

"""What is counted, where the counts are kept, and how Prometheus is told of them."""

from common.metrics.recording import Metrics

__all__ = ["Metrics"]

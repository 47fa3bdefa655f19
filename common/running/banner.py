"""What `muninn up` prints when all runs: what runs where, and examples to paste."""

from pathlib import Path
from string import Template

from common.masked_settings import mask_url
from common.provider_rows import ProviderRow
from common.running.ports import http_url, reachable_host
from common.settings import Settings

# Examples name echo in full: they work, and cost nothing, whatever the default provider is.
EXAMPLES = Template("""\
# Ask, and wait for the answer:

curl -s $url/openai/v1/responses -H 'content-type: application/json' \\
  -d '{"model": "echo/hello", "input": "Hello, Muninn"}'

# Submit a job, then poll it (again until its status is "completed"):

JOB=$$(curl -s $url/openai/v1/responses -H 'content-type: application/json' \\
  -H 'x-bf-async: true' -d '{"model": "echo/hello", "input": "Hello, later"}' \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
curl -s -X POST $url/openai/v1/responses -H "x-bf-async-id: $$JOB"

# The same in Python, with the OpenAI SDK (pip install openai):

import time
from openai import OpenAI
client = OpenAI(base_url="$url/openai/v1", api_key="anything")
ask = {"model": "echo/hello", "input": "Hello, later"}
job = client.responses.create(**ask, extra_headers={"x-bf-async": "true"})
poll = {"x-bf-async-id": job.id}
while job.status in ("queued", "in_progress"):
    time.sleep(0.2)
    job = client.responses.create(**ask, extra_headers=poll)
print(job.status, job.output_text)

Ctrl-C stops everything.
""")


def banner(settings: Settings, workers: int, embedded_in: Path | None) -> str:
    """The whole text. ``embedded_in`` is the embedded server's data directory, if it runs."""
    url = http_url(reachable_host(settings.host), settings.port)
    facts = {
        "front": f"{url}  (documentation: {url}/docs)",
        "page": f"{url}/ui  (jobs, queue and workers at a glance, and a place to try things)",
        "workers": _workers(workers, settings.worker_concurrency),
        "store": _store(settings, embedded_in),
        "provider": _provider(settings.default_provider, settings.providers),
    }
    table = "".join(f"  {name:<9} {fact}\n" for name, fact in facts.items())
    return f"\nMuninn is up.\n\n{table}\n{EXAMPLES.substitute(url=url)}\n"


def _workers(workers: int, concurrency: int) -> str:
    each = f"{concurrency} provider calls at once"
    return f"1 process, {each}" if workers == 1 else f"{workers} processes, {each} each"


def _store(settings: Settings, embedded_in: Path | None) -> str:
    if embedded_in is None:
        return mask_url(settings.redis_url)
    return f"embedded server, data in {embedded_in} (kept when you stop)"


def _provider(name: str, rows: dict[str, ProviderRow]) -> str:
    if rows[name].kind != "echo":
        return f"{name}, for model names without `provider/`; configured: {', '.join(rows)}"
    others = [other for other in rows if other != name]
    if others:
        return f"{name} (built in: repeats the input); configured: {', '.join(rows)}"
    return (
        "echo: no provider key was found, so answers come from the built-in echo provider.\n"
        f"{'':<12}Set OPENAI_API_KEY and start again to use OpenAI."
    )

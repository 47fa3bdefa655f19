"""The web page in a real browser, on a real front and worker that ask for keys."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import FAINT_TEXT, chromium, opened
from tests.support.ui import (
    ADMIN,
    TEAM,
    WORDS,
    Gate,
    ask,
    halting,
    row,
    running_gate,
    show_job,
    status,
    tile,
)

MARKUP = '<img src=x onerror="window.ran=1"> <script>window.ran=1</script> <b>bold</b>'
VIEWS = ("#/", "#/jobs", "#/jobs/{job}", "#/try")

expect.set_options(timeout=10_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Gate]:
    # Asks for the browser first: without one nothing is started.
    with running_gate(tmp_path_factory.mktemp("ui")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, gate: Gate) -> Iterator[Page]:
    with opened(browser, gate.muninn.root, ADMIN) as (page, _):
        yield page


def test_the_overview_shows_queue_workers_and_the_last_hour(page: Page, gate: Gate) -> None:
    running = [gate.submit("echo/slow-60s") for _ in range(2)]
    page.goto("/ui")
    expect(tile(page, "in_progress")).to_have_text("2")
    expect(tile(page, "queued")).to_have_text("0")
    expect(tile(page, "memory")).to_contain_text("MiB")
    expect(page.locator(".worker")).to_contain_text("slots")
    chart = page.get_by_role("img", name=re.compile("Jobs in the last hour"))
    submitted, cancelled = gate.in_last_hour("submitted"), gate.in_last_hour("cancelled")
    expect(chart).to_have_attribute("aria-label", re.compile(f": {submitted} submitted"))
    gate.cancel(*running)
    expect(tile(page, "in_progress")).to_have_text("0")
    expect(chart).to_have_attribute("aria-label", re.compile(f", {cancelled + 2} cancelled"))


def test_the_chart_is_read_with_the_keyboard_too(page: Page, gate: Gate) -> None:
    gate.ended(gate.submit("echo/hello"))
    page.goto("/ui")
    chart = page.get_by_role("img", name=re.compile("Jobs in the last hour"))
    chart.focus()
    page.keyboard.press("End")
    expect(page.locator(".tip").first).to_contain_text("Submitted")
    page.keyboard.press("Escape")
    expect(page.locator(".tip").first).to_be_hidden()
    page.get_by_text("As a table").click()
    expect(page.get_by_role("columnheader", name="Submitted")).to_be_visible()


def test_usage_is_shown_by_day_and_key(page: Page, gate: Gate) -> None:
    gate.ended(gate.submit("echo/hello"))
    page.goto("/ui")
    table = page.get_by_role("region", name="Usage by day and key")
    expect(table.get_by_role("row").filter(has_text="team").first).to_be_visible()
    # The echo provider costs nothing: an axis without amounts, and none as 5e-10.
    cost = page.get_by_role("img", name="Cost by day")
    expect(cost.get_by_text("$0", exact=True)).to_be_visible()
    expect(cost.get_by_text(re.compile(r"\de-\d"))).to_have_count(0)
    page.get_by_label("What to chart").select_option("Tokens")
    expect(page.get_by_role("img", name="Tokens by day")).to_be_visible()


def test_jobs_are_filtered_by_status_model_and_key(page: Page, gate: Gate) -> None:
    good, bad = gate.submit("echo/hello"), gate.ended(gate.submit("echo/error-400"))
    gate.ended(good)
    page.goto("/ui#/jobs")
    expect(row(page, good)).to_contain_text("Completed")
    expect(row(page, good)).to_contain_text("team")
    page.get_by_text("Failed", exact=True).first.click()
    expect(row(page, good)).to_have_count(0)
    expect(row(page, bad)).to_contain_text("Failed")
    expect(page).to_have_url(re.compile("#/jobs\\?status=failed$"))
    page.get_by_label("Model", exact=True).fill("echo/none-such")
    expect(page.get_by_text("No job fits this filter.")).to_be_visible()
    page.goto("/ui#/jobs?model=echo/error-400&key=team")
    expect(row(page, bad)).to_be_visible()
    expect(row(page, good)).to_have_count(0)


def test_the_list_is_live_and_keeps_the_focus(page: Page, gate: Gate) -> None:
    first = gate.submit("echo/slow-60s")
    page.goto("/ui#/jobs")
    row(page, first).focus()
    expect(row(page, first)).to_contain_text("Running")
    second = gate.submit("echo/slow-60s")
    expect(page.locator(".jobs li").first.locator("a")).to_have_attribute("data-job", second)
    expect(row(page, first)).to_be_focused()
    gate.cancel(first, second)
    expect(row(page, first)).to_contain_text("Cancelled")
    expect(row(page, first)).to_be_focused()


def test_more_jobs_are_loaded_when_asked_for(page: Page, gate: Gate) -> None:
    each = {"model": "echo/hello", "input": "x"}
    items = [{"custom_id": str(n), "body": each} for n in range(60)]
    gate.call("POST", "/v1/async/responses/batch", json={"requests": items})
    page.goto("/ui#/jobs?model=echo/hello")
    rows = page.locator(".jobs li")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Load more").click()
    expect(rows.nth(59)).to_be_attached()


def test_the_output_of_a_job_appears_while_it_streams(page: Page, gate: Gate) -> None:
    go = halting(gate)
    show_job(page, gate.submit("upstream/m", stream=True))
    expect(page.locator(".output")).to_have_text("Hi")
    expect(status(page)).to_have_text("Running")
    go.set()
    expect(page.locator(".output")).to_have_text("Hi you")
    expect(status(page)).to_have_text("Completed")


def test_a_job_shows_its_time_cost_key_and_request(page: Page, gate: Gate) -> None:
    show_job(page, gate.submit("echo/slow-500ms"))
    expect(page.locator(".output")).to_have_text(WORDS)
    expect(status(page)).to_have_text("Completed")
    expect(page.locator(".timing")).to_contain_text(re.compile("Waited .*Ran .*In all"))
    for words in ("Tokens out", "no price is known", "team", "model", "Provider's time"):
        expect(page.locator("main")).to_contain_text(words)
    asked = page.get_by_role("region", name="the request")
    expect(asked).to_contain_text('"model": "echo/slow-500ms"')


def test_what_a_model_wrote_is_text_and_never_markup(page: Page, gate: Gate) -> None:
    slow = gate.submit("echo/slow-300ms", MARKUP, stream=True, metadata={MARKUP: MARKUP})
    bad = gate.ended(gate.submit(f"echo/{MARKUP}"))
    for job_id in (slow, bad):
        show_job(page, job_id)
        expect(status(page)).to_have_text(re.compile("Completed|Failed"))
        expect(page.locator("main")).to_contain_text("<script>window.ran=1</script>")
    page.goto("/ui#/jobs")
    expect(row(page, bad)).to_contain_text("<img src=x")
    page.goto("/ui#/try")
    page.get_by_label("Model", exact=True).fill("echo/hello")
    page.get_by_label("Input").fill(MARKUP)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".output")).to_have_text(MARKUP)
    assert page.evaluate("window.ran") is None
    assert page.locator("main :is(img, script, b)").count() == 0


def test_a_job_is_cancelled_after_a_question(page: Page, gate: Gate) -> None:
    show_job(page, gate.submit("echo/slow-60s"))
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="No, go back").click()
    expect(status(page)).to_have_text("Running")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(status(page)).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()


def test_a_job_is_retried_as_a_new_one_and_deleted(page: Page, gate: Gate) -> None:
    failed = gate.ended(gate.submit("echo/error-400"))
    show_job(page, failed)
    expect(page.locator(".notice.error")).to_contain_text(
        "The echo provider was asked for an error"
    )
    page.get_by_role("button", name="Retry").click()
    expect(page).not_to_have_url(re.compile(f"jobs/{failed}"))
    expect(page.get_by_role("link", name=failed)).to_be_visible()
    expect(status(page)).to_have_text("Failed")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the job").click()
    expect(page).to_have_url(re.compile("#/jobs$"))


def test_a_job_that_is_not_there_is_said_to_be_gone(browser: Browser, gate: Gate) -> None:
    with opened(browser, gate.muninn.root, ADMIN) as (page, watched):
        watched.foreseen.append("404")
        show_job(page, "00000000-0000-4000-8000-000000000000")
        expect(page.get_by_role("heading", name="Job not found")).to_be_visible()


def test_a_request_is_tried_inline(page: Page) -> None:
    ask(page, "echo/hello", "Inline")
    expect(page.locator(".output")).to_have_text(WORDS)
    for words in ("Provider's time", "no price is known", "model_deployment"):
        expect(page.locator(".trial-result")).to_contain_text(words)


def test_a_request_is_tried_as_a_stream(page: Page, gate: Gate) -> None:
    go = halting(gate)
    ask(page, "upstream/m", "Streamed")
    expect(page.locator(".output")).to_have_text("Hi")
    go.set()
    expect(page.locator(".output")).to_have_text("Hi you")
    expect(page.locator(".trial-result")).to_contain_text("First words after")


def test_a_request_is_tried_as_a_job_and_leads_to_its_page(page: Page) -> None:
    ask(page, "echo/slow-500ms", "As a job")
    expect(page).to_have_url(re.compile("#/jobs/[0-9a-f-]{36}$"))
    expect(page.locator(".output")).to_have_text(WORDS)
    page.get_by_role("button", name="Open in Try").click()
    expect(page.get_by_label("Model", exact=True)).to_have_value("echo/slow-500ms")


def test_what_is_wrong_with_a_request_is_said_in_words(browser: Browser, gate: Gate) -> None:
    with opened(browser, gate.muninn.root, ADMIN) as (page, watched):
        watched.foreseen += ["401", "404", "429", "503"]
        # A provider's 401 is not about the page's own key, nor its 503 about the store.
        for fault in ("401", "503", "429"):
            ask(page, f"echo/error-{fault}", "Inline")
            expect(page.get_by_role("alert")).to_contain_text([f"asked for an error {fault}"])
            expect(page.locator("#banner")).to_be_hidden()
        page.get_by_label("Write JSON").check()
        page.get_by_label("Request, as JSON").fill("{")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("This is not JSON")).to_be_visible()
        page.get_by_label("Request, as JSON").fill('{"model": "nobody/x", "input": "x"}')
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".trial-result")).to_contain_text("404 model_not_found")


def test_the_page_asks_for_an_admin_key(browser: Browser, gate: Gate) -> None:
    with opened(browser, gate.muninn.root) as (page, watched):
        watched.foreseen += ["401", "403"]
        page.goto("/ui#/jobs")
        field = page.get_by_label("Admin key")
        for secret, words in (("mk-wrong", "not known here"), (TEAM, "no admin key")):
            field.fill(secret)
            field.press("Enter")
            expect(page.locator("#login-message")).to_contain_text(words)
        assert page.evaluate("sessionStorage.length + localStorage.length") == 0
        field.fill(ADMIN)
        field.press("Enter")
        expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        assert page.evaluate("localStorage.length + document.cookie.length") == 0
        page.reload()
        expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(field).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0


def test_an_open_gateway_asks_for_nothing(browser: Browser, gate: Gate) -> None:
    with opened(browser, gate.open_root) as (page, _):
        page.goto("/ui")
        expect(tile(page, "queued")).to_have_text("0")
        expect(page.get_by_role("button", name="Log out")).to_be_hidden()
        ask(page, "echo/hello", "Inline")
        expect(page.locator(".output")).to_have_text(WORDS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_phone_and_can_be_read(browser: Browser, gate: Gate, scheme: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    job_id = gate.ended(gate.submit("echo/error-400", "x" * 200))
    with opened(browser, gate.muninn.root, ADMIN, color_scheme=scheme, **phone) as (page, _):
        for view in VIEWS:
            page.goto("/ui" + view.format(job=job_id))
            expect(page.locator("main .card").first).to_be_visible()
            expect(page.locator(".loading")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
            assert page.evaluate(FAINT_TEXT) == [], view
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(re.findall(r"\d+", ground)[0]) < 128) == (scheme == "dark")


def test_the_page_says_when_the_store_is_gone_and_recovers(browser: Browser, gate: Gate) -> None:
    with opened(browser, gate.muninn.root, ADMIN) as (page, watched):
        watched.foreseen.append("503")
        page.goto("/ui")
        expect(tile(page, "queued")).to_have_text("0")
        gate.server.process.kill()
        expect(page.locator("#banner")).to_contain_text("The job store cannot be reached")
        gate.server.restart()
        expect(page.locator("#banner")).to_be_hidden()


def test_the_page_says_when_the_front_is_gone_and_recovers(browser: Browser, gate: Gate) -> None:
    with opened(browser, gate.muninn.root, ADMIN) as (page, watched):
        watched.foreseen += ["ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY"]
        go = halting(gate)
        show_job(page, gate.submit("upstream/m", stream=True))
        expect(page.locator(".output")).to_have_text("Hi")
        gate.muninn.fronts[0].kill()
        expect(page.locator("#banner")).to_contain_text("The front cannot be reached")
        expect(page.locator(".output")).to_have_text("Hi")
        gate.muninn.start_front()
        expect(page.locator("#banner")).to_be_hidden()
        go.set()
        expect(page.locator(".output")).to_have_text("Hi you")
        expect(status(page)).to_have_text("Completed")

"""A real browser for the web page: found on the machine, watched for whatever should not happen."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What the policy of the page forbids is told where the console's errors are.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`violation: ${event.violatedDirective} ${event.blockedURI}`));
"""
# The text of the page whose contrast is less than 4.5, the least that WCAG's level AA allows.
FAINT_TEXT = """() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const color = parts(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
  };
  const isShown = (e) => e.checkVisibility({visibilityProperty: true}) && !e.disabled
    && e.getBoundingClientRect().width > 1;
  const faint = [];
  for (const e of document.querySelectorAll("body *")) {
    const hasText = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!hasText || !isShown(e)) continue;
    const style = getComputedStyle(e);
    const color = parts(e.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [low, high] = [light(color), light(ground(e))].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) faint.push(`${e.className} ${e.textContent}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, headless; skips the tests that need it where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on this machine: the web page is not tested")
    with sync_playwright() as playwright:
        # Its sandbox does not work for root, as whom tests may run in a container.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Watched:
    """What went wrong on the pages of a test. ``foreseen`` are words of errors that shall come."""

    errors: list[str] = field(default_factory=list)
    foreseen: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.add_init_script(TELL_VIOLATIONS)
        page.on("console", self._noted)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    def _noted(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def check(self) -> None:
        unforeseen = [e for e in self.errors if not any(words in e for words in self.foreseen)]
        assert unforeseen == []


@contextmanager
def opened(
    browser: Browser, root: str, key: str | None = None, **options: Any
) -> Iterator[tuple[Page, Watched]]:
    """A page of its own context, logged in with the key if there is one, and checked at the end."""
    context = browser.new_context(base_url=root, **options)
    context.set_default_timeout(10_000)
    page, watched = context.new_page(), Watched()
    watched.watch(page)
    if key is not None:
        page.add_init_script(f"sessionStorage.setItem('muninn.key', '{key}')")
    try:
        yield page, watched
        watched.check()
    finally:
        context.close()

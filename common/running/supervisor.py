"""Starts processes in order, restarts those that die, stops them in the reverse order.

One thread and one loop: it waits for output, signals and ends of children all at once. Every
child is in a session of its own, so that Ctrl-C reaches the supervisor alone, which then decides
who stops when. If the supervisor itself is killed, the guard's reaper kills the children.
"""

import selectors
import time
from collections.abc import Callable, Iterable, Sequence

from common.running.child import Child, ChildSpec, describe_end
from common.running.console import Console
from common.running.guard import Guard
from common.running.signals import SignalInbox

LOOK_AGAIN_SECONDS = 1.0
READY_POLL_SECONDS = 0.05


class StartFailed(Exception):
    """A child that others need ended, or did not serve in time, when it was first started."""


class Supervisor:
    """Runs stages of children: a stage starts when the one before is ready."""

    def __init__(self, stages: Sequence[Sequence[ChildSpec]], console: Console) -> None:
        self._console = console
        self._stages = [[Child(spec, console.line) for spec in stage] for stage in stages]
        self._selector = selectors.DefaultSelector()
        self._guard = Guard()
        self._inbox = SignalInbox()
        self._stopping = False

    def run(self, on_ready: Callable[[], None]) -> int:
        """Run until a signal asks to stop; return the exit code for the process.

        ``on_ready`` is called once, when all stages are ready. Call it from the main thread.
        """
        self._inbox.open()
        self._selector.register(self._inbox, selectors.EVENT_READ, self._inbox.drain)
        try:
            return self._run(on_ready)
        except StartFailed as failure:
            self._console.say(str(failure))
            return 1
        finally:
            self._stop()
            self._selector.close()
            self._inbox.close()
            self._guard.close()

    def _run(self, on_ready: Callable[[], None]) -> int:
        for stage in self._stages:
            for child in stage:
                self._launch(child)
            for child in stage:
                self._await_ready(child)
        if not self._inbox.stops:
            on_ready()
        while not self._inbox.stops:
            self._turn(LOOK_AGAIN_SECONDS)
        self._console.say("stopping; a second Ctrl-C kills at once")
        return 0

    def _launch(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:
            raise StartFailed(f"{child.spec.name} cannot be started: {error}") from None
        self._guard.add(child.group)
        self._selector.register(
            child.fileno(), selectors.EVENT_READ, lambda: self._show_output(child)
        )

    def _show_output(self, child: Child) -> None:
        if not child.read_output():
            self._selector.unregister(child.fileno())

    def _await_ready(self, child: Child) -> None:
        spec = child.spec
        deadline = time.monotonic() + spec.ready_within_seconds
        while spec.ready is not None and not self._inbox.stops:
            if spec.ready():
                child.was_ready = True
                return
            if time.monotonic() > deadline:
                seconds = f"{spec.ready_within_seconds:g}"
                raise StartFailed(f"{spec.name} did not serve within {seconds} s; giving up")
            self._turn(READY_POLL_SECONDS)

    def _turn(self, longest_seconds: float) -> None:
        """Wait for something to happen, for so long at most, and see to it."""
        due = [child.restart_at for child in self._children() if child.restart_at is not None]
        until_due = min(due, default=float("inf")) - time.monotonic()
        for key, _ in self._selector.select(max(0.0, min(longest_seconds, until_due))):
            key.data()
        self._guard.keep()
        for child in self._children():
            self._look_after(child)

    def _look_after(self, child: Child) -> None:
        return_code = child.ended()
        if return_code is not None:
            self._bury(child)
            if not self._stopping and not self._inbox.stops:
                self._on_death(child, return_code)
        elif child.restart_at is not None and time.monotonic() >= child.restart_at:
            self._restart(child)

    def _on_death(self, child: Child, return_code: int) -> None:
        name, end = child.spec.name, describe_end(return_code)
        if not child.was_ready:
            raise StartFailed(f"{name} {end} while starting; giving up")
        self._console.say(f"{name} {end}; restarting it in {child.schedule_restart():g} s")

    def _restart(self, child: Child) -> None:
        child.restart_at = None
        if self._stopping:
            return
        try:
            self._launch(child)
        except StartFailed as failure:
            self._console.say(f"{failure}; again in {child.schedule_restart():g} s")

    def _bury(self, child: Child) -> None:
        if child.fileno() in self._selector.get_map():
            self._selector.unregister(child.fileno())
        group = child.group
        child.bury()
        self._guard.remove(group)

    def _stop(self) -> None:
        """Stop the stages, the last first, each within the grace of its children."""
        self._stopping = True
        for stage in reversed(self._stages):
            for child in stage:
                child.terminate()
            self._await_end(stage)
            for child in stage:
                if child.alive:
                    self._bury(child)

    def _await_end(self, stage: Sequence[Child]) -> None:
        grace_seconds = max((child.spec.grace_seconds for child in stage), default=0.0)
        deadline = time.monotonic() + grace_seconds
        while any(child.alive for child in stage) and not self._inbox.kill_at_once:
            left_seconds = deadline - time.monotonic()
            if left_seconds <= 0:
                self._say_killed(stage, grace_seconds)
                break
            self._turn(left_seconds)

    def _say_killed(self, stage: Sequence[Child], grace_seconds: float) -> None:
        names = ", ".join(child.spec.name for child in stage if child.alive)
        self._console.say(f"{names} did not stop within {grace_seconds:g} s; killing")

    def _children(self) -> Iterable[Child]:
        return (child for stage in self._stages for child in stage)

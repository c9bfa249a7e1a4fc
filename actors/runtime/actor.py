"""`Actor`: a `pykka.Actor` on the shared pool, whose every end has a reason.

class Counter(Actor):
    def on_start(self):
        self.value = 0

    def on_receive(self, message):
        self.value += message
        return self.value

counter = Counter.start()
assert counter.ask(2) == 2
"""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from . import signals
from .check import check_settings, refused
from .deadletters import DEAD_LETTERS
from .errors import MailboxFull, StashOverflow
from .exits import ExitReason, check_reason
from .idle import Idleness
from .inbox import InlineInbox
from .life import LATER, Living
from .mailbox import Mailbox, Unbounded
from .ref import ActorRef, check_ref
from .schedule import Schedule
from .scheduled import ScheduledInbox
from .signals import Notice, WatchRef
from .timers import TIMERS, Timers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .items import Item

__all__ = ["LATER", "Actor"]

_UNBOUNDED: Final = Unbounded()


class Actor(Living):
    """One thing at a time, from a mailbox; ends once, with an `ExitReason`.

    1. `__init__` on the creator's thread, then `on_restart` in a new incarnation, then `on_start`.
    2. Messages: `on_receive`, proxy calls, and bare calls from `post`.
    3. The end: stopped or told to exit (`on_stop`), or crashed (`on_failure`); then `on_exit`.
       A killed actor runs none of them, nor does one whose `on_start` failed.

    An exception in an `ask` is the asker's and the actor lives on (DESIGN 8.15).
    """

    dispatcher: ClassVar[str] = "pool"
    """Which threads run it: the shared pool's, or with "thread" its own, where its turns block."""

    inline: ClassVar[bool] = False
    """No thread: a turn runs on whichever thread brings the event. Its turns must not block.

    It has an unbounded mailbox, and neither stash nor receive timeout.
    """

    mailbox: ClassVar[Mailbox] = _UNBOUNDED
    """What waits, and what happens where there is no room: `Unbounded`, `Bounded`, `Priority`."""

    ask_failure: ClassVar[Literal["reply", "crash"]] = "reply"
    """Whether an exception in an `ask` also crashes the actor."""

    trap_exit: bool = False
    """Whether the ends of linked actors come as `ExitSignal` messages instead of ending this."""

    stash_capacity: ClassVar[int] = 1000
    """How many messages `stash` may put aside."""

    ref_class: ClassVar[type[ActorRef[Any]]] = ActorRef
    starts_later: ClassVar[bool] = False
    """Whether the class itself says when it is started (`_actor_started`), after `on_start`."""

    timers: Timers = TIMERS
    """Where `schedule` keeps its timers."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_settings(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        inbox: InlineInbox | ScheduledInbox
        if self.inline:
            inbox = InlineInbox(self)
        elif self.mailbox is _UNBOUNDED:
            inbox = ScheduledInbox(self, SimpleQueue())
        else:
            inbox = ScheduledInbox(self, self.mailbox.queue(self._actor_dropped))
        inbox.ref = ref = self.ref_class(self, inbox)
        self._actor_inbox = inbox
        self._actor_self = self._actor_ref = ref

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say what is wrong where `__init__` was overridden and did not come here."""
            if name in {"_actor_inbox", "_actor_ref", "_actor_self"}:
                raise TypeError(f"{type(self).__qualname__}.__init__ must call super().__init__()")
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(text, name=name, obj=self)

    # -- hooks, besides Pykka's on_start, on_stop and on_failure

    def on_restart(self, reason: ExitReason, attempt: int) -> None:
        """Run in the new incarnation, before `on_start`.

        Args:
            reason: Why the last incarnation ended.
            attempt: 1 for the first restart in a row.
        """

    def on_exit(self, reason: ExitReason) -> None:
        """Run last, whatever the reason; not when killed."""

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Run after a crash, before `on_exit` (Pykka's hook)."""

    # -- for the actor itself

    def post(self, fn: Callable[..., object], *args: Any) -> bool:
        """Run `fn(*args)` as a turn: the short lane, without envelope or future.

        From any thread. False, and nothing happens, if the actor has ended.
        """
        return self._actor_inbox.put((fn, args))

    def post_lost(self, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Learn of a post that was taken and not run to its end, for this inline actor ended."""

    def schedule(self, delay: float, message: Any, *, every: float | None = None) -> Schedule:
        """Send this actor `message` in `delay` seconds, then every `every` seconds if given.

        Cancelled by itself when the actor ends.
        """
        schedule = Schedule(self, delay, message, every)
        if self._actor_schedules is None:
            self._actor_schedules = set()
        self._actor_schedules.add(schedule)
        if self._actor_self.reason is not None:
            schedule.cancel()
        return schedule

    # -- other actors' ends

    def watch(self, ref: ActorRef[Any], message: Any = None) -> WatchRef:
        """Be sent `Terminated(ref, reason)`, exactly once, when `ref`'s actor has ended.

        At once, if it has. It waits its turn, after what that actor had sent before it ended.

        Args:
            ref: Who is watched; watching twice gives two messages.
            message: What is sent instead.

        Raises:
            InvalidArgument: `ref` is no ref of ours.
        """
        check_ref(ref)
        watch = WatchRef(self, ref, message)
        if self._actor_watches is None:
            self._actor_watches = set()
        self._actor_watches.add(watch)
        if self._actor_self.reason is not None:
            watch.cancel()
        else:
            watch.begin()
        return watch

    def unwatch(self, watch: WatchRef) -> bool:
        """Take a watch back; its message does not come, even if it waits already.

        Returns:
            Whether it was still to come.
        """
        if not isinstance(watch, WatchRef):
            raise refused("watch", watch, "use what watch() returned")
        return watch.cancel()

    def link(self, ref: ActorRef[Any]) -> None:
        """End together: where one of the two ends abnormally, so does the other.

        An end with reason normal concerns only who traps exits. Linking to an actor that has ended
        is its exit signal, with reason `NOPROC`.

        Raises:
            InvalidArgument: `ref` is no ref of ours.
        """
        check_ref(ref)
        if self._actor_self.reason is not None:
            return  # what killed actors still do concerns nobody
        if ref.reason is not None:
            self._actor_signalled(ref, ExitReason.NOPROC)
        else:
            signals.link(self._actor_self, ref)

    def unlink(self, ref: ActorRef[Any]) -> bool:
        """Undo `link`. True if they were linked."""
        check_ref(ref)
        return signals.unlink(self._actor_self, ref)

    def exit(self, ref: ActorRef[Any], reason: ExitReason) -> None:
        """Send `ref` an exit signal, as if this actor were linked to it and had ended.

        It may trap it, all but `KILLED`, which kills it.

        Raises:
            InvalidArgument: `ref` is no ref of ours, or `reason` no `ExitReason`.
        """
        check_ref(ref)
        check_reason(reason)
        ref.signal(self._actor_self, reason, kill=reason is ExitReason.KILLED)

    # -- messages put aside

    def stash(self) -> None:
        """Put the message of this turn aside, unanswered, until `unstash_all`.

        Raises:
            StashOverflow: `stash_capacity` messages are put aside already.
            RuntimeError: There is no message: a call from `post`, or put aside already.
        """
        inbox = self._actor_scheduled("stash()")
        item = inbox.current
        if item is None or type(item) is tuple:
            raise RuntimeError("no message to put aside: call stash() once, while handling it")
        stash = self._actor_stash
        if stash is None:
            stash = self._actor_stash = deque()
        if len(stash) >= self.stash_capacity:
            raise StashOverflow(f"{self} has put {len(stash)} messages aside already")
        stash.append(item.message if type(item) is Notice else item)
        inbox.current = self._actor_answering = None
        inbox.reject_late(stash)

    def unstash_all(self) -> None:
        """Handle what was put aside next, in its order, before everything that waits."""
        items, self._actor_stash = self._actor_stash, None
        if items:
            self._actor_scheduled("unstash_all()").put_back(items)

    def unstash(self) -> bool:
        """Handle the first message that was put aside next. False if there is none."""
        if not self._actor_stash:
            return False
        self._actor_scheduled("unstash()").put_back([self._actor_stash.popleft()])
        return True

    @property
    def receive_timeout(self) -> float | None:
        """Seconds without a message after which `ReceiveTimeout` comes, again and again.

        None, the default, for never. Messages whose class is under `NotInfluenceReceiveTimeout`,
        and calls from `post`, do not count.
        """
        return None if self._actor_idle is None else self._actor_idle.seconds

    @receive_timeout.setter
    def receive_timeout(self, seconds: float | None) -> None:
        inbox = self._actor_scheduled("receive_timeout")
        if self._actor_idle is not None:
            self._actor_idle.cancel()
        self._actor_idle = None if seconds is None else Idleness(self, seconds)
        inbox.attentive = seconds is not None

    # -- inside

    def _actor_scheduled(self, what: str) -> ScheduledInbox:
        if isinstance(self._actor_inbox, InlineInbox):
            raise TypeError(f"an inline actor has no {what}: use dispatcher = 'pool'")
        return self._actor_inbox

    def _actor_dropped(self, item: Item) -> None:
        """A bounded mailbox had no room for `item`."""
        full = MailboxFull(f"the mailbox of {self} is full: send less")
        reply: Any = getattr(item, "reply_to", None)
        if type(item) is not Notice and reply is not None:
            reply.set_exception(full)
        else:
            DEAD_LETTERS.overflowed(getattr(item, "message", item), self._actor_self)

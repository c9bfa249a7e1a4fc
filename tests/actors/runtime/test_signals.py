from __future__ import annotations

import threading

import pytest

from klemheist.actors.runtime import ExitReason, ExitSignal, Terminated


def on_turn(ref, fn):
    """Run `fn(actor)` as a turn, and give what it gives."""
    actor = ref.actor()
    return ref.ask(lambda: fn(actor), timeout=5)


def sync(ref):
    ref.ask(lambda: None, timeout=5)


def test_a_watcher_is_told_exactly_once(obedient):
    journal, watcher, other = [], None, obedient.start()
    watcher = obedient.start(journal)
    on_turn(watcher, lambda a: a.watch(other))
    other.stop()
    other.kill()
    sync(watcher)
    assert journal == [Terminated(other, ExitReason.NORMAL)]


def test_a_watcher_of_the_dead_is_told_at_once_and_why(obedient):
    journal, error, other = [], ValueError("x"), obedient.start()
    other.tell(error)
    other.ended.get(timeout=5)
    watcher = obedient.start(journal)
    on_turn(watcher, lambda a: a.watch(other))
    sync(watcher)
    assert journal == [Terminated(other, ExitReason.error(error))]


def test_watches_add_up_and_may_have_messages_of_their_own(obedient):
    journal, other = [], obedient.start()
    watcher = obedient.start(journal)
    on_turn(watcher, lambda a: [a.watch(other), a.watch(other, "gone")])
    other.stop()
    sync(watcher)
    assert journal == [Terminated(other, ExitReason.NORMAL), "gone"]


def test_unwatch_takes_back_even_a_message_that_waits(scheduled):
    journal, other, gate = [], scheduled.start(), threading.Event()
    watcher = scheduled.start(journal)
    watch = on_turn(watcher, lambda a: a.watch(other))
    watcher.tell(lambda: gate.wait(5))
    other.stop()
    assert on_other_thread(lambda: watcher.actor().unwatch(watch)) is True
    gate.set()
    sync(watcher)
    assert journal == []
    assert watcher.actor().unwatch(watch) is False


def test_what_a_watched_actor_sent_before_its_end_comes_before_the_news(scheduled):
    journal, other = [], scheduled.start()
    watcher = scheduled.start(journal)
    on_turn(watcher, lambda a: a.watch(other))
    other.tell(lambda: watcher.tell("result"))
    other.stop()
    sync(watcher)
    assert [type(m) for m in journal] == [str, Terminated]


def test_a_watcher_that_ends_leaves_nothing_at_who_it_watched(obedient):
    watcher, other = obedient.start(), obedient.start()
    on_turn(watcher, lambda a: a.watch(other))
    watcher.stop()
    assert not other.ended._callbacks
    other.stop()


def test_linked_actors_end_together_with_the_same_reason(obedient):
    error, one, other, third = ValueError("x"), obedient.start(), obedient.start(), obedient.start()
    on_turn(one, lambda a: a.link(other))
    on_turn(other, lambda a: a.link(third))
    one.tell(error)
    for ref in (one, other, third):
        assert ref.ended.get(timeout=5) == ExitReason.error(error)


def test_a_linked_actor_that_ends_runs_its_on_stop(obedient):
    journal, one = [], obedient.start()
    other = obedient.start(journal)
    on_turn(one, lambda a: a.link(other))
    one.kill()
    assert other.ended.get(timeout=5) is ExitReason.KILLED
    assert journal == ["stop", ExitReason.KILLED]


def test_a_normal_end_does_not_concern_the_linked(obedient):
    one, other = obedient.start(), obedient.start()
    on_turn(one, lambda a: a.link(other))
    one.stop()
    assert other.ask(1, timeout=5) == 1
    assert not other.links


def test_unlinked_actors_do_not_concern_each_other(obedient):
    one, other = obedient.start(), obedient.start()
    assert on_turn(one, lambda a: (a.link(other), a.link(other), a.unlink(other)))[2] is True
    assert on_turn(other, lambda a: a.unlink(one)) is False
    one.kill()
    assert other.ask(1, timeout=5) == 1


@pytest.mark.parametrize("end", ["stop", "kill", "crash"])
def test_who_traps_exits_gets_them_as_messages(obedient, end):
    journal, error, other = [], ValueError("x"), obedient.start()

    class Trapping(obedient):
        trap_exit = True

    one = Trapping.start(journal)
    on_turn(one, lambda a: a.link(other))
    if end == "crash":
        other.tell(error)
        reason = ExitReason.error(error)
    else:
        getattr(other, end)()
        reason = ExitReason.NORMAL if end == "stop" else ExitReason.KILLED
    other.ended.get(timeout=5)
    sync(one)
    assert journal == [ExitSignal(other, reason)]


def test_a_link_to_the_dead_is_an_exit_with_noproc(obedient):
    one, other = obedient.start(), obedient.start()
    other.stop()
    on_turn(one, lambda a: a.link(other))
    assert one.ended.get(timeout=5) is ExitReason.NOPROC


def test_an_exit_signal_of_an_actor_can_be_trapped_and_a_kill_cannot(obedient):
    class Trapping(obedient):
        trap_exit = True

    journal, sender = [], obedient.start()
    trapping, plain = Trapping.start(journal), obedient.start()
    on_turn(sender, lambda a: a.exit(trapping, ExitReason.SHUTDOWN))
    sync(trapping)
    assert journal == [ExitSignal(sender, ExitReason.SHUTDOWN)]
    on_turn(sender, lambda a: a.exit(trapping, ExitReason.KILLED))
    assert trapping.ended.get(timeout=5) is ExitReason.KILLED
    on_turn(sender, lambda a: a.exit(plain, ExitReason.NORMAL))
    assert plain.ask(1, timeout=5) == 1
    on_turn(sender, lambda a: a.exit(plain, ExitReason.shutdown("x")))
    assert plain.ended.get(timeout=5) == ExitReason.shutdown("x")


def test_an_order_to_exit_ends_who_traps_exits_too(obedient):
    class Trapping(obedient):
        trap_exit = True

    journal = []
    ref = Trapping.start(journal)
    ref.exit(ExitReason.SHUTDOWN)
    assert ref.ended.get(timeout=5) is ExitReason.SHUTDOWN
    assert journal == ["stop", ExitReason.SHUTDOWN]
    killed = Trapping.start()
    killed.exit(ExitReason.KILLED)
    assert killed.ended.get(timeout=5) is ExitReason.KILLED


def test_orders_overtake_messages_and_keep_their_own_order(scheduled):
    journal, gate = [], threading.Event()
    ref = scheduled.start(journal)
    ref.tell(lambda: gate.wait(5))
    ref.tell("queued")
    ref.exit(ExitReason.shutdown("first"))
    ref.exit(ExitReason.shutdown("second"))
    gate.set()
    assert ref.ended.get(timeout=5) == ExitReason.shutdown("first")
    assert "queued" not in journal


def test_racing_ends_of_linked_actors_leave_no_link(pooled):
    for _ in range(50):
        refs = [pooled.start() for _ in range(4)]
        for ref in refs[1:]:
            on_turn(refs[0], lambda a, ref=ref: a.link(ref))
        go = threading.Barrier(4)
        threads = [threading.Thread(target=killer(go, ref)) for ref in refs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(ref.ended.get(timeout=5).is_abnormal for ref in refs)
        assert not any(ref.links for ref in refs)


def killer(go, ref):
    def kill():
        go.wait()
        ref.kill()

    return kill


def on_other_thread(fn):
    found = []
    thread = threading.Thread(target=lambda: found.append(fn()))
    thread.start()
    thread.join()
    return found[0]

from __future__ import annotations

import json

from klemheist.actors.runtime import ManualClock
from klemheist.supervisors.core import events as told
from klemheist.supervisors.core.child import Backoff, child
from klemheist.supervisors.tree.dynamic import DynamicSupervisor, supervisor
from klemheist.supervisors.tree.supervisor import Supervisor


def build(script, tools, **options):
    device = supervisor(
        [
            child(tools.Worker, "link", script, id="link", backoff=Backoff(min=2, jitter=0)),
            child(DynamicSupervisor, id="sessions"),
        ],
        id="ttyACM0",
        strategy="rest_for_one",
    )
    return Supervisor.start([child(tools.Worker, "store", script, id="store"), device], **options)


def test_the_picture_of_a_tree(script, tools):
    clock = ManualClock()
    tree = build(script, tools, clock=clock)
    device = tree.child("ttyACM0").ref
    device.child("sessions").ref.start_child(child(tools.Worker, "s", script, id="k3f9"))
    tools.crash(device, "link")
    tools.crash(tree, "store")
    assert tree.snapshot().render().splitlines() == [
        "root              one_for_one (1 of 3 restarts)",
        "├── store         restarts: 1",
        "└── ttyACM0       rest_for_one",
        "    ├── link      restarting, in 2.0 s",
        "    └── sessions  dynamic",
        "        └── k3f9",
    ]
    tree.shutdown()


def test_a_tree_is_found_walked_and_told_as_json(script, tools):
    with build(script, tools, name="top") as tree:
        snapshot = tree.snapshot()
        paths = [node.path for node in snapshot.walk()]
        assert paths[1:3] == ["top/ttyACM0", "top/ttyACM0/link"]
        assert snapshot.find("top/ttyACM0/sessions").type == "supervisor"
        assert snapshot.find("top/nobody") is None
        data = json.loads(json.dumps(snapshot.to_dict()))
        assert data["children"][1]["tree"]["strategy"] == "rest_for_one"


def test_a_snapshot_does_not_change_with_the_tree(script, tools):
    with build(script, tools) as tree:
        before = tree.snapshot()
        tree.terminate_child("store")
        assert before.find("root/store").state == "running"
        assert tree.snapshot().find("root/store").state == "stopped"


def test_every_change_is_told_with_its_path_and_a_failing_listener_harms_nobody(script, tools):
    events = []

    def listen(event):
        events.append(event)
        raise RuntimeError("a listener's bug")

    with build(script, tools, on_event=listen) as tree:
        tools.crash(tree, "store")
    kinds = [type(event) for event in events if event.path == "root" and event.id == "store"]
    assert kinds == [
        told.ChildStarting,
        told.ChildStarted,
        told.ChildExited,
        told.ChildRestarting,
        told.ChildStarting,
        told.ChildRestarted,
        told.ChildTerminated,
    ]
    assert any(event.path == "root/ttyACM0" for event in events)
    assert isinstance(events[-1], told.SupervisorStopped)


def test_the_graph_keeps_children_of_one_path_apart(script, tools):
    one = supervisor([child(tools.Worker, "x", script, id="x")], id="s")
    ids = (1, "1", "s/x", "two\nlines\t\\")
    workers = [child(tools.Worker, str(n), script, id=key) for n, key in enumerate(ids)]
    tree = Supervisor.start([*workers, one])
    snapshot = tree.snapshot()
    assert snapshot.to_dot().splitlines() == [
        "digraph supervision {",
        "  node [shape=box, fontname=sans];",
        r'  n0 [label="root\none_for_one"];',
        '  n1 [label="1", style=rounded];',
        "  n0 -> n1;",
        '  n2 [label="1", style=rounded];',
        "  n0 -> n2;",
        '  n3 [label="s/x", style=rounded];',
        "  n0 -> n3;",
        r'  n4 [label="two\\nlines\\t\\", style=rounded];',
        "  n0 -> n4;",
        r'  n5 [label="s\none_for_one"];',
        "  n0 -> n5;",
        '  n6 [label="x", style=rounded];',
        "  n5 -> n6;",
        "}",
    ]
    assert len(snapshot.render().splitlines()) == 7
    assert snapshot.find("root/s/x") is snapshot.children[2]
    tree.shutdown()

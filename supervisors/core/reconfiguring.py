"""Other flags and specs for a supervisor that runs (OTP's code_change): nobody is restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klemheist.actors.runtime import ActorDead

from .errors import InvalidFlags

if TYPE_CHECKING:
    from . import inputs as got
    from .core import Core
    from .supervisor_spec import SupervisorSpec


def reconfigure(core: Core, request: got.Reconfigure) -> None:
    """Take over flags and specs; the window remembers the restarts that were."""
    refusal = _refusal_of(request.spec, core)
    if refusal is not None:
        core.refuse(request.reply, refusal)
        return
    spec = request.spec
    core.window = core.window.resized(spec.max_restarts, spec.period)
    core.spec = spec
    if not core.dynamic:
        _merge(core, spec)
    core.reply(request.reply, None)


def _merge(core: Core, spec: SupervisorSpec) -> None:
    """Children in the order of the new specs, then those that are not among them.

    Who runs goes on, with its new spec; a new child is known and not started.
    """
    old, core.children = core.children, {}
    for each in spec.children:
        entry = old.pop(each.id, None)
        if entry is None:
            core.add(each)
        else:
            entry.spec = each
            core.children[each.id] = entry
    core.children.update(old)


def _refusal_of(spec: SupervisorSpec, core: Core) -> Exception | None:
    if core.closing:
        return ActorDead("the supervisor is ending: ask the one that is started after it")
    try:
        spec.check_for(dynamic=core.dynamic)
    except InvalidFlags as error:
        return error
    if (spec.template is None) is not (core.template is None):
        message = f"template={spec.template!r}: a template stays, and none does: start another"
        return InvalidFlags("bad_start_spec", spec.template, message)
    return None

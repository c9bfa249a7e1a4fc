"""All cases of Elixir's DynamicSupervisor suite are here, each once."""

from __future__ import annotations

from pathlib import Path

from tests.supervisors.cases import listed, present

HERE = Path(__file__).parent


def test_every_case_has_its_test_and_every_test_is_a_case():
    assert present(HERE) == listed(HERE)
    assert len(listed(HERE)) == 41

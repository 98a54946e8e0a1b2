"""How tests run: examples of hypothesis, checks of types, disks.

Hypothesis has no deadline, since a first call may compile; in CI its examples are the same every time, and fewer where
the same tests run again in another environment (`--hypothesis-profile=again`).
"""

import inspect
import os
from typing import ForwardRef, get_args

import jaxtyping
import pytest
from beartype import BeartypeConf, beartype
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("again", settings.get_profile("ci"), max_examples=25)
settings.load_profile("ci" if os.environ.get("CI") else "local")

jaxtyped = jaxtyping.jaxtyped
without_shapes = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))


def checked(*, typechecker):
    """As `jaxtyped`, but signatures without a shape cost no scope of sizes, which is most of what a call takes."""

    def decorate(decorated):
        if inspect.isfunction(decorated) and not any(map(has_shapes, decorated.__annotations__.values())):
            return without_shapes(decorated)
        return jaxtyped(decorated, typechecker=typechecker)

    return decorate


def has_shapes(hint) -> bool:
    """Whether a hint names the shape of an array, or may, being a text."""
    if isinstance(hint, str | ForwardRef):
        return True
    return (inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray)) or any(map(has_shapes, get_args(hint)))


jaxtyping.jaxtyped = checked  # what `--jaxtyping-packages` puts before every function of the package


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_disks():
    """No test cuts the power: a sync only asks whether what it is given is open. Processes that tests start do sync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield

"""How hypothesis runs: no deadline, since a first call may compile; in CI the same examples every time. No test waits
for the disk."""

import os

import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_disks():
    """No test cuts the power: a sync only asks whether what it is given is open. Processes that tests start do sync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield

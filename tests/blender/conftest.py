"""Blender in the test process: one for all tests, reset between them, and left without its shutdown."""

import os
import sys

import pytest

bpy = pytest.importorskip("bpy", reason="needs the render environment (make test)")


@pytest.fixture(autouse=True)
def empty_scene():
    """Every test begins with an empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    # A process that registered a render engine may hang in Blender's shutdown: everything is written by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(getattr(config, "pixeltruth_exit_status", 1))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    session.config.pixeltruth_exit_status = int(exitstatus)

"""The scene as a render sees it: modifiers at render level, render visibility, cameras evaluated.

A dependency graph asked for from Python evaluates viewport levels. A render engine of ours, run through Blender's own
render operator, is handed the graph that a render uses.
"""

from collections.abc import Callable
from typing import ClassVar, TypeVar, no_type_check

import bpy

from pixeltruth.errors import RenderError

T = TypeVar("T")


class _Evaluation(bpy.types.RenderEngine):  # type: ignore[misc]
    """Renders nothing; hands its dependency graph to whoever asked."""

    bl_idname = "PIXELTRUTH_EVALUATION"
    bl_label = "pixeltruth evaluation"
    receive: ClassVar[Callable[[bpy.types.Depsgraph], None]]

    @no_type_check  # Blender counts the arguments of this very function: a test's checker may not wrap it
    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        type(self).receive(depsgraph)


def evaluate(scene: bpy.types.Scene, read: Callable[[bpy.types.Depsgraph], T]) -> T:
    """Calls ``read`` with the scene evaluated for rendering at its current frame.

    Args:
        scene: Must have a camera, one view layer in use, and neither compositor nor sequencer on.
        read: What it returns must not refer to Blender's data: that is gone when this returns.

    Returns:
        What ``read`` returned.

    Raises:
        RenderError: Blender refused to render, or did not call the engine.
    """
    results: list[T] = []
    failures: list[Exception] = []

    def receive(depsgraph: bpy.types.Depsgraph) -> None:
        try:
            results.append(read(depsgraph))
        except Exception as error:
            failures.append(error)

    if not _Evaluation.is_registered:
        bpy.utils.register_class(_Evaluation)
    _Evaluation.receive = staticmethod(receive)
    engine = scene.render.engine
    scene.render.engine = _Evaluation.bl_idname
    try:
        bpy.ops.render.render(scene=scene.name)
    except RuntimeError as error:
        raise RenderError(f"Blender cannot evaluate the scene: {str(error).strip().splitlines()[-1]}") from error
    finally:
        scene.render.engine = engine
    if failures:
        raise failures[0]
    if len(results) != 1:
        raise RenderError(f"Blender evaluated scene {scene.name!r} {len(results)} times instead of once")
    return results[0]

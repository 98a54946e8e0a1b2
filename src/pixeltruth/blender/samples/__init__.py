"""Scenes made in code, for the quick start, the documentation and the tests. No binary is shipped.

Each is a module with `build()`, which fills an empty scene, and `save(path)`, which writes it as a `.blend`.
"""

from collections.abc import Callable

from pixeltruth.blender.samples import crowd, people, still_life

SAMPLES: dict[str, Callable[[], None]] = {"still_life": still_life.build, "people": people.build, "crowd": crowd.build}
"""What fills an empty scene, by name."""

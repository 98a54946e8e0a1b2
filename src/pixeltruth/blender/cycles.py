"""One Cycles render per view: the picture through the file's view transform, and the linear radiance before it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import bpy
import numpy as np
import OpenEXR
from PIL import Image

from pixeltruth.blender.versions import choose_format
from pixeltruth.errors import JobError, RenderError

_BACKENDS = ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL")


@dataclass(frozen=True)
class Quality:
    """How much Cycles works for a picture; what a picture shows stays the file's, bounces included.

    Attributes:
        samples: At most this many per pixel.
        noise: Adaptive sampling stops a pixel below this noise.
        guides: FAST denoises the picture by the albedo and normals as sampled, ACCURATE denoises these two first.
    """

    samples: int
    noise: float
    guides: Literal["FAST", "ACCURATE"] = "ACCURATE"


PRESETS = {
    "draft": Quality(20, 0.1, "FAST"),
    "standard": Quality(112, 0.01),
    "reference": Quality(1024, 0.003),
}
"""Named qualities; `make bench-rgb` measures them, docs/quality.md tells what they are worth."""


def prepare(scene: bpy.types.Scene, quality: Quality, device: str) -> str:
    """Sets Cycles up for every view of a run.

    Args:
        scene: Its engine becomes Cycles; bounces, film, world and colour management stay the file's.
        quality: What the samples and the denoiser are set to.
        device: `cpu`, `gpu`, or `auto` for the GPU where there is one.

    Returns:
        The device that will render, for the record.

    Raises:
        JobError: `gpu` is asked for and Cycles sees none.
    """
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.samples, cycles.use_sample_subset = quality.samples, False
    cycles.use_adaptive_sampling, cycles.adaptive_threshold = True, quality.noise
    cycles.adaptive_min_samples, cycles.time_limit, cycles.use_animated_seed = 0, 0.0, False
    cycles.sampling_pattern, cycles.use_light_tree = "BLUE_NOISE", True
    scene.render.use_persistent_data = True  # or modifiers, hierarchies and textures are made anew for every view
    name = _enable_gpu() if device != "cpu" else None
    if name is None and device == "gpu":
        raise JobError("--device gpu: Cycles sees no GPU here; use --device cpu or auto")
    cycles.device = "CPU" if name is None else "GPU"
    _denoise(scene, quality.guides, gpu=name is not None)
    return name or "CPU"


def _denoise(scene: bpy.types.Scene, guides: str, *, gpu: bool) -> None:
    cycles = scene.cycles
    cycles.use_denoising, cycles.denoiser, cycles.denoising_use_gpu = True, "OPENIMAGEDENOISE", gpu
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter, cycles.denoising_quality = guides, "HIGH"


def gpus() -> list[str]:
    """The GPUs that Cycles sees, with their back ends, the preferred one first."""
    return [f"{device.type} {device.name}" for device in _found_gpus()]


def _enable_gpu() -> str | None:
    devices = _found_gpus()
    for device in bpy.context.preferences.addons["cycles"].preferences.devices:
        device.use = device in devices
    return f"{devices[0].type} {devices[0].name}" if devices else None


def _found_gpus() -> list[bpy.types.PropertyGroup]:
    """Devices of the first back end that has any; it is selected."""
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for backend in _BACKENDS:
        try:
            preferences.compute_device_type = backend
        except TypeError:  # this build of Blender does not know the back end
            continue
        preferences.refresh_devices()
        devices = [device for device in preferences.devices if device.type == backend]
        if devices:
            return devices
    return []


def render_light(scene: bpy.types.Scene, outputs: tuple[str, ...], *, seed: int, folder: Path) -> dict[str, np.ndarray]:
    """Renders the scene's camera once.

    Args:
        scene: Prepared.
        outputs: Which of rgb, alpha, radiance.
        seed: Noise seed of this view.
        folder: Where Blender may put its temporary files.

    Returns:
        rgb (h, w, 3) uint8, alpha (h, w) uint8, radiance (h, w, 3) float32 linear.

    Raises:
        RenderError: Cycles gave no picture.
    """
    scene.cycles.seed = seed
    scene.update_tag()  # a setting by itself does not reach a scene that Cycles keeps
    try:
        bpy.ops.render.render(scene=scene.name)
    except RuntimeError as error:
        raise RenderError(f"Cycles failed: {str(error).strip().splitlines()[-1]}") from error
    maps: dict[str, np.ndarray] = {}
    if "rgb" in outputs or "alpha" in outputs:
        pixels = _picture(scene, folder / "picture.png")
        maps["rgb"] = np.ascontiguousarray(pixels[..., :3])
        opaque = np.full(pixels.shape[:2], 255, dtype=np.uint8)
        maps["alpha"] = np.ascontiguousarray(pixels[..., 3]) if scene.render.film_transparent else opaque
    if "radiance" in outputs:
        maps["radiance"] = _radiance(scene, folder / "radiance.exr")
    return {name: array for name, array in maps.items() if name in outputs}


def _save(scene: bpy.types.Scene, path: Path, file_format: str, **settings: Any) -> None:
    choose_format(scene.render.image_settings, file_format)
    for name, value in settings.items():
        setattr(scene.render.image_settings, name, value)
    bpy.data.images["Render Result"].save_render(str(path), scene=scene)
    if not path.is_file():
        raise RenderError(f"Cycles gave no picture for camera {scene.camera.name!r}")


def _picture(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    mode = "RGBA" if scene.render.film_transparent else "RGB"
    _save(scene, path, "PNG", color_mode=mode, color_depth="8", compression=0)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    path.unlink()
    return pixels


def _radiance(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    _save(scene, path, "OPEN_EXR", color_mode="RGB", color_depth="32", exr_codec="NONE")
    with OpenEXR.File(str(path)) as file:
        pixels = np.array(file.channels()["RGB"].pixels, dtype=np.float32)
    path.unlink()
    return pixels

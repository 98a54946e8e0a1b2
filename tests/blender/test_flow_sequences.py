"""Flow through the public API: the same bytes whatever light, chunk and run it is made in, and files that say so."""

import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest

import pixeltruth
from blender.arrange import add_camera, set_size
from blender.build import add_box, add_mesh, save
from blender.motion import keyed
from pixeltruth.errors import SceneError
from pixeltruth.formats import native
from pixeltruth.manifest import DatasetManifest, read_json
from pixeltruth.view import View

pytestmark = pytest.mark.blender

MAPS = "depth,instance,flow_forward,flow_backward,scene_flow_forward,scene_flow_backward"
FRAMES = range(1, 6)


def build():
    """Things that move, deform, come and go, seen by two cameras."""
    set_size(48, 36)
    box = add_box("box", category_id=1)
    keyed(box, "location", {frame: (frame / 4 - 1, 0, 0) for frame in range(-1, 8)})
    late = add_box("late", location=(0, 3, 2), category_id=2)
    keyed(late, "hide_render", {1: True, 3: False})
    blob = add_box("blob", location=(-2, 2, -1), category_id=3)
    blob.shape_key_add(name="Basis")
    keyed(blob.shape_key_add(name="wide"), "value", {1: 0.0, 5: 1.0})
    blob.data.shape_keys.key_blocks["wide"].data[0].co = (-2, -2, -2)
    add_mesh("ground", np.array([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]]), [[0, 1, 2, 3]], location=(0, 0, -2),
             category_id=4)  # fmt: skip
    front = add_camera("front", location=(0, -9, 0), rotation=(np.pi / 2, 0, 0))
    keyed(front, "rotation_euler", {1: (np.pi / 2, 0, 0), 5: (np.pi / 2, 0, 0.1)})
    add_camera("side", location=(9, -2, 1), rotation=(np.pi / 2, 0, 1.3))
    bpy.context.scene.frame_set(1)


def bytes_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.h5"))}


def render(path, folder, **values):
    return pixeltruth.render(path, folder, **{"outputs": MAPS, "frames": FRAMES, "map_by": "category_id"} | values)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    return save(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def whole(scene, tmp_path_factory):
    return render(scene, tmp_path_factory.mktemp("whole") / "d")


def test_a_sequence_obeys_the_laws_and_names_its_frames(whole):
    assert pixeltruth.check(whole.path) == []
    (scene,) = whole.scenes
    for camera in scene.cameras:
        for view in camera:
            frame = view.metadata["frame"]
            assert view.metadata["flow_forward_frame"] == frame + 1
            assert view.metadata["flow_backward_frame"] == frame - 1
            assert (view.flow_forward.dtype, view.flow_forward.shape) == (np.float32, (36, 48, 2))
            assert view.flow_backward_valid.dtype == bool
    notes = {(entry.object, entry.problem) for entry in scene.manifest.report}
    assert ("late", "is not there at frame 2: flow from frame 3 leaves it where it is, and is not valid") in notes


def test_views_say_what_stands_still_and_flow_of_it_is_checked(whole, scene, tmp_path):
    """Without scene flow too: `late` stands still from when it is there, the ground always, until the last frame."""
    told = [_static(view, "forward") for view in whole.scenes[0].cameras[0]]
    assert told == [{"ground"}, {"ground"}, {"ground", "late"}, {"ground", "late"}, {"ground", "late", "blob"}]
    assert [_static(view, "backward") for view in whole.scenes[0].cameras[0]][:4] == [
        {"ground", "blob"}, {"ground"}, {"ground"}, {"ground", "late"}
    ]  # fmt: skip
    made = render(scene, tmp_path / "d", outputs="depth,instance,flow_forward")
    assert pixeltruth.check(made.path) == []
    third, last = (made.scenes[0].cameras[0][index] for index in (2, 4))
    for view, name, laws in ((third, "ground", {"motion"}), (third, "blob", set()), (last, "ground", {"motion"})):
        flow = view.flow_forward.copy()
        on_it = view.instance == next(row.id for row in view.instances if row.name == name)
        flow[tuple(np.argwhere(on_it)[0])] += np.float32(0.001)
        rewrite(view.path, flow_forward=flow)  # after the last frame there is no view, but its camera is known
        assert {problem.law for problem in pixeltruth.check(made.path)} == laws


def _static(view, way):
    names = {row.id: row.name for row in view.instances}
    return {names[id_] for id_ in view.metadata[f"flow_{way}_static"]}


def rewrite(path, **maps):
    """A view file again, with other maps."""
    file = native.ViewFile(path)
    manifest = read_json(path.parents[2] / "dataset.json", DatasetManifest)
    rows = {entry.name: entry.row for entry in manifest.modalities}
    arrays = {name: maps.get(name, file.read(name)) for name in file.names}
    native.write_view(path, View(file.viewpoint, rows, arrays, {}, file.instances, file.metadata))


def test_any_part_of_it_that_is_rendered_alone_gives_the_same_bytes(whole, scene, tmp_path):
    """A second run, and one that begins in the middle with single views."""
    render(scene, tmp_path / "d")
    assert bytes_of(tmp_path / "d") == bytes_of(whole.path)
    for gone in list(bytes_of(whole.path))[1::3]:
        (tmp_path / "d" / gone).unlink()
    render(scene, tmp_path / "d")
    assert bytes_of(tmp_path / "d") == bytes_of(whole.path)
    assert (tmp_path / "d/scene_00001/scene.json").read_bytes() == (whole.path / "scene_00001/scene.json").read_bytes()


@pytest.mark.parametrize("frame", [3, 5])
def test_a_frame_alone_is_that_of_the_sequence(frame, whole, scene, tmp_path):
    """Whatever is evaluated before it, and whether the neighbour is rendered or only looked at."""
    alone = render(scene, tmp_path / "d", frames=frame, flow_step=1)
    for camera, of_whole in zip(alone.scenes[0].cameras, whole.scenes[0].cameras, strict=True):
        for row in camera[0].modalities:
            np.testing.assert_array_equal(camera[0][row.name], of_whole[frame - 1][row.name], err_msg=row.name)


def test_a_longer_step_takes_the_frames_out_of_order_and_changes_nothing_else(whole, scene, tmp_path):
    longer = render(scene, tmp_path / "d", flow_step=2)
    assert pixeltruth.check(longer.path) == []
    assert [camera.frames for camera in longer.scenes[0].cameras] == [tuple(FRAMES)] * 2
    for view, other in zip(longer, whole, strict=True):
        assert view.metadata["flow_forward_frame"] == view.metadata["frame"] + 2
        np.testing.assert_array_equal(view.depth, other.depth)
        np.testing.assert_array_equal(view.instance, other.instance)
    box = whole[0].instance == next(row.id for row in whole[0].instances if row.name == "box")
    np.testing.assert_allclose(longer[0].scene_flow_forward[box][:, 0], 0.5, atol=1e-6)
    np.testing.assert_allclose(whole[0].scene_flow_forward[box][:, 0], 0.25, atol=1e-6)


def test_nothing_of_the_light_touches_a_label(whole, scene, tmp_path):
    """Motion blur, depth of field, exposure, alpha threshold, a denoiser in the file, a picture beside the labels."""
    bpy.ops.wm.open_mainfile(filepath=str(scene))
    settings = bpy.context.scene
    settings.render.engine = "CYCLES"
    settings.render.use_motion_blur, settings.render.motion_blur_shutter = True, 2.0
    settings.cycles.use_denoising = True
    settings.view_settings.exposure, settings.view_layers[0].pass_alpha_threshold = 3.0, 0.9
    for camera in (owner for owner in settings.objects if owner.type == "CAMERA"):
        camera.data.dof.use_dof, camera.data.dof.aperture_fstop = True, 0.1
    for owner in settings.objects:
        owner.cycles.use_motion_blur = owner.cycles.use_deform_motion = True
    path = save(tmp_path)
    lit = render(path, tmp_path / "d", outputs=f"rgb,{MAPS}", quality="draft", samples=2, lights=["sun:0,0,1:3"])
    assert {row.name for row in lit[0].modalities} - {row.name for row in whole[0].modalities} == {"rgb"}
    for view, other in zip(lit, whole, strict=True):
        for row in other.modalities:
            assert view[row.name].tobytes() == other[row.name].tobytes(), row.name
    # Nor do flow and the frames it looks at touch the picture
    alone = render(path, tmp_path / "rgb", outputs="rgb", quality="draft", samples=2, lights=["sun:0,0,1:3"])
    for view, other in zip(lit, alone, strict=True):
        np.testing.assert_array_equal(view.rgb, other.rgb)
    assert (alone[0].rgb != alone[2].rgb).any()


def test_a_camera_that_a_changed_scene_hides_is_an_error_at_its_frame(scene, tmp_path):
    """A linked file may change between two runs; the manifest of the first says what there was to see."""
    setup = tmp_path / "setup.py"
    switch = tmp_path / "switch"
    setup.write_text(f"import os\ndef setup(scene):\n    hidden = os.path.exists({str(switch)!r})\n"
                     f"    scene.objects['side'].hide_render = hidden\n", encoding="utf-8")  # fmt: skip
    made = render(scene, tmp_path / "d", setup=setup, outputs="depth")
    (made.path / "scene_00001" / "camera_2" / "view_000002.h5").unlink()
    switch.touch()
    with pytest.raises(SceneError, match=r"^frame 2: camera 'side' renders no view, and did .*; use --overwrite$"):
        render(scene, tmp_path / "d", setup=setup, outputs="depth")


DATA = Path(os.environ.get("PIXELTRUTH_DATA", Path(__file__).parents[3] / "shared" / "data")) / "optical_flow"


@pytest.mark.skipif(not DATA.is_dir(), reason="needs optical_flow of the seed's data: PIXELTRUTH_DATA")
def test_the_seeds_scene_has_its_published_flow(tmp_path):
    """Its five poses as five frames, mean over what is seen; the camera moves without turning."""
    expected = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
    dataset = pixeltruth.render(
        DATA / "scene.obj", tmp_path / "d", cameras=DATA / "camera_positions", as_sequence=True, resolution=(512, 512),
        fov=0.691111, outputs="depth,instance,flow_forward,flow_backward",
    )  # fmt: skip
    assert pixeltruth.check(dataset.path) == []
    views = dataset.scenes[0].cameras[0]
    assert len(views) == 5
    assert not any(view.flow_forward[view.instance == 0].any() for view in views)
    for way in ("forward", "backward"):
        for number, mean in expected[way].items():
            view = views[int(number)]
            # The published means were summed in float32, which leaves up to 0.07 px in a mean of 150 px
            found = view[f"flow_{way}"][view.instance > 0].mean(axis=0, dtype=np.float32)
            np.testing.assert_allclose(found, mean, atol=expected["tolerance_px"], err_msg=f"{way} {number}")

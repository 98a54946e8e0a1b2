"""Parts of instances and their nested classes, UV coordinates and occlusion boundaries of Blender's scenes."""

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_instance, add_object, collect
from blender.build import add_box, add_mesh, corners_of, geometry, job_for, save, staged, written
from blender.motion import keyed
from pixeltruth.errors import SceneError
from pixeltruth.labels import LabelRule

pytestmark = pytest.mark.blender

PLANE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=np.float64), [[0, 1, 2], [0, 2, 3]]


def camera():
    pose = oracle.placement((5.0, -7.0, 4.0), (1.1, 0.15, 0.65)) @ np.diag([1.0, -1, -1, 1])
    return oracle.Pinhole(120, 90, 142.0, 112.0, 53.3, 48.8, pose)


def add_figure(name, x, **properties):
    """An empty with a torso (a mesh), on which a head sits, with a nose; an arm below an empty without a surface."""
    figure = add_object(name, location=(x, 0, 0), **properties)
    torso = add_box(f"{name} body", scale=(0.5, 0.5, 0.75), part="torso")
    head = add_box(f"{name} head", location=(0, 0, 1.5), scale=(0.75, 0.75, 0.5), part="head")
    nose = add_box(f"{name} nose", location=(0, -1.25, 0), scale=(0.25, 0.5, 0.25), part="face.nose")
    rig = add_object(f"{name} rig")
    arm = add_box(f"{name} arm", location=(-1, 0, 0), scale=(0.25, 0.25, 0.75))
    for child, parent in ((torso, figure), (head, torso), (nose, head), (rig, figure), (arm, rig)):
        child.parent = parent
    return figure


def figures(tmp_path, **job):
    add_figure("anna", 0.5, category_id=1, category="human")
    add_figure("bert", -2.5, category_id=1, category="human")
    add_box("rock", location=(1, 3, 0), category_id=2, category="stone")
    return written(
        job_for(save(tmp_path), camera(), outputs="instance,part", map_by=("category_id", "category"), **job)
    )


def test_parts_have_nested_classes_by_parents_and_by_property(tmp_path):
    point = figures(tmp_path)
    assert set(point.classes.values()) == {
        "background", "human.torso", "human.torso.head", "human.torso.head.face.nose", "human.anna arm",
        "human.bert arm", "stone",
    }  # fmt: skip
    assert sorted(point.classes) == list(range(10))
    assert point.part.dtype == np.uint32
    np.testing.assert_array_equal(point.part > 0, point.instance > 0)


def test_masks_by_dotted_name(tmp_path):
    point = figures(tmp_path)
    parts = {name: [id_ for id_, text in point.classes.items() if text == name] for name in point.classes.values()}
    assert len(parts["human.torso.head"]) == 2  # one for each figure
    head = point.mask("human.torso.head")
    np.testing.assert_array_equal(
        head, np.isin(point.part, parts["human.torso.head"] + parts["human.torso.head.face.nose"])
    )
    assert head.sum() > 200
    np.testing.assert_array_equal(point.mask("nose"), np.isin(point.part, parts["human.torso.head.face.nose"]))
    np.testing.assert_array_equal(point.mask("head"), head)
    np.testing.assert_array_equal(point.mask("torso"), point.mask("human.torso"))
    humans = [row.id for row in point.instances if row.category == "human"]
    np.testing.assert_array_equal(point.mask("human"), np.isin(point.instance, humans))
    np.testing.assert_array_equal(
        point.mask("anna"), point.instance == next(r.id for r in point.instances if r.name == "anna")
    )
    with pytest.raises(
        KeyError, match=r"shows no 'foot'; it shows .*; 'foot' is no class; there is human, human\.anna arm"
    ):
        point.mask("foot")


def test_each_part_is_its_own_object(tmp_path):
    """The map of parts against a closed form: every box of a figure by its own place."""
    add_figure("anna", 0, category_id=1)
    point = written(job_for(save(tmp_path), camera(), outputs="instance,part"))
    torso = oracle.placement((0, 0, 0), scale=(0.5, 0.5, 0.75))
    head = torso @ oracle.placement((0, 0, 1.5), scale=(0.75, 0.75, 0.5))
    places = {
        "anna.torso": torso, "anna.torso.head": head,
        "anna.torso.head.face.nose": head @ oracle.placement((0, -1.25, 0), scale=(0.25, 0.5, 0.25)),
        "anna.anna arm": oracle.placement((-1, 0, 0), scale=(0.25, 0.25, 0.75)),
    }  # fmt: skip
    ids = {name: id_ for id_, name in point.classes.items()}
    corners = [(oracle.BOX_CORNERS @ p[:3, :3].T + p[:3, 3])[oracle.BOX_TRIANGLES] for p in places.values()]
    truth = oracle.look(camera(), np.concatenate(corners), np.repeat([ids[name] for name in places], 12))
    edges = np.concatenate([oracle.outline(part) for part in corners])
    crossings = [oracle.crossings(a, b) for i, a in enumerate(corners) for b in corners[:i]]
    clear = oracle.edge_distance(camera(), np.concatenate([edges, *crossings])) > 1e-3
    np.testing.assert_array_equal(point.part[clear], truth.label[clear])
    assert set(np.unique(point.part)) == {0, *ids.values()}


def test_ids_of_parts_do_not_depend_on_the_order_of_creation(tmp_path):
    def keys(names):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        group = collect("group", [add_box("inside"), add_box("inside too", location=(2, 0, 0))])
        for name in names:
            add_instance(name, group, category_id=1) if name.startswith("i") else add_box(name, category_id=1)
        stage = staged(job_for(save(tmp_path), camera(), outputs="part"))
        return {part.key: (part.id, part.instance, part.path) for part in stage.plan.manifest.parts}

    names = ["a", "b", "i1", "i2"]
    forwards = keys(names)
    assert keys(names[::-1]) == forwards
    assert sorted(id_ for id_, _, _ in forwards.values()) == [1, 2, 3, 4, 5, 6]
    assert {path for _, _, path in forwards.values()} == {(), ("inside",), ("inside too",)}


def test_the_name_of_a_part_is_one_over_all_frames(tmp_path):
    """Whichever is looked at first: with a step of 2 the even frames are, at which the head is hidden."""
    head = add_box("head", location=(0, 0, 2))
    head.parent = add_box("body", category_id=1)
    add_box("eye", location=(0, -1, 0)).parent = head
    keyed(head, "hide_render", {frame: frame % 2 == 0 for frame in range(0, 6)})
    for step in (1, 2):
        job = job_for(save(tmp_path), camera(), outputs="part,flow_forward", frames=(1, 2, 3), flow_step=step)
        parts = staged(job).plan.manifest.parts
        assert {part.name: part.path for part in parts} == {"body": (), "head": ("head",), "eye": ("head", "eye")}


def test_a_label_file_may_name_parts(tmp_path):
    add_figure("anna", 0, category_id=1)
    rules = (LabelRule(pattern="anna arm", properties={"part": "arm"}),)
    stage = staged(job_for(save(tmp_path), camera(), outputs="part", labels=rules))
    assert ("arm",) in {part.path for part in stage.plan.manifest.parts}


@pytest.mark.parametrize("value", [3, "", "head.", ".nose", "a..b", [1, 2]], ids=repr)
def test_a_part_that_is_no_name_is_an_error_that_names_the_object(tmp_path, value):
    figure = add_object("figure", category_id=1)
    child = add_box("odd", part=value)
    child.parent = figure
    with pytest.raises(SceneError, match=r"^object 'odd': part is .*; it must be text: a name, or several with dots"):
        staged(job_for(save(tmp_path), camera(), outputs="part"))
    staged(job_for(save(tmp_path), camera(), outputs="instance"))  # whoever asks for no parts is not bothered


def test_without_parts_there_are_no_classes(tmp_path):
    add_figure("anna", 0, category_id=1)
    point = written(job_for(save(tmp_path), camera(), outputs="instance"))
    assert "classes" not in dir(point)
    with pytest.raises(KeyError, match="shows no 'head'"):
        point.mask("head")


def add_uvs(owner, name, scale, *, renders):
    """A UV map that is ``scale`` times the x and y of each vertex."""
    layer = owner.data.uv_layers.new(name=name)
    for loop in owner.data.loops:
        layer.data[loop.index].uv = np.array(owner.data.vertices[loop.vertex_index].co[:2]) * scale
    layer.active_render = renders


def test_uv_coordinates_are_those_of_the_map_that_renders_use(tmp_path):
    place = (0, 0, 0.5), (0.5, 0.25, 0), (2, 1, 1)
    owner = add_mesh("plane", *PLANE, location=place[0], rotation=place[1], scale=place[2], category_id=1)
    add_uvs(owner, "first", 9.0, renders=False)
    add_uvs(owner, "second", 0.75, renders=True)
    add_box("plain", location=(0, 0, -2), category_id=1)
    corners = corners_of(owner, *PLANE)
    point = written(job_for(save(tmp_path), camera(), outputs="instance,depth,uv"))
    truth = oracle.look(camera(), corners, np.ones(2))
    matrix = oracle.placement(*place)
    there = (truth.label > 0) & (oracle.edge_distance(camera(), oracle.outline(corners)) > 1e-3)
    assert there.sum() > 500
    local = (truth.position[there] - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    np.testing.assert_allclose(point.uv[there], 0.75 * local[:, :2], atol=1e-6)
    plain = next(row.id for row in point.instances if row.name == "plain")
    assert np.isnan(point.uv[point.instance == plain]).all()
    assert np.isnan(point.uv[point.instance == 0]).all()


def test_uv_coordinates_beside_a_texture_that_opacity_reads(tmp_path):
    """The maps that opacity needs and the one that renders use are two."""
    owner = add_mesh("plane", *PLANE, scale=(2, 2, 1), category_id=1)
    add_uvs(owner, "shown", 0.5, renders=True)
    add_uvs(owner, "other", 3.0, renders=False)
    stage, _ = geometry(job_for(save(tmp_path), camera(), outputs="uv"))
    (mesh,) = stage.inventory.snapshot.meshes
    assert list(mesh.uvs) == [""]
    np.testing.assert_allclose(np.abs(mesh.uvs[""]), 0.5)


def test_occlusion_boundaries_are_where_something_nearer_ends(tmp_path):
    things = {"front": (1.5, -2, 0.5), "back": (0, 0, 0.25), "far": (-2, 3, 0)}
    corners = []
    for number, (name, place) in enumerate(things.items(), 1):
        owner = add_box(name, location=place, rotation=(0.25 * number, 0, 0.5), category_id=1, instance_id=number)
        corners.append(corners_of(owner, oracle.BOX_CORNERS, oracle.BOX_TRIANGLES))
    point = written(job_for(save(tmp_path), camera(), outputs="instance,depth,occlusion_boundary"))
    truth = oracle.look(camera(), np.concatenate(corners), np.repeat([1, 2, 3], 12))
    expected = np.zeros(truth.label.shape, dtype=bool)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        label, depth = np.roll(truth.label, step, axis), np.roll(truth.depth, step, axis)
        inside = np.ones(label.shape, dtype=bool)
        inside[tuple([slice(None)] * axis + [0 if step > 0 else -1])] = False
        expected |= inside & (label != truth.label) & (depth > truth.depth)
    clear = oracle.edge_distance(camera(), oracle.outline(np.concatenate(corners))) > 1e-3
    sure = clear.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        sure &= np.roll(clear, step, axis)
    np.testing.assert_array_equal(point.occlusion_boundary[sure], expected[sure])
    assert expected[sure].sum() > 150
    assert not point.occlusion_boundary[point.instance == 0].any()


def test_the_maps_are_the_same_bytes_alone_and_beside_others(tmp_path):
    add_figure("anna", 0, category_id=1)
    path = save(tmp_path)
    names = ("part", "uv", "nocs", "occlusion_boundary")
    (tmp_path / "a").mkdir()
    together = written(replace_output(job_for(path, camera(), outputs=",".join(names)), tmp_path / "a" / "all"))
    for name in names:
        alone = written(replace_output(job_for(path, camera(), outputs=name), tmp_path / "a" / name))
        assert together[name].tobytes() == alone[name].tobytes()


def replace_output(job, output):
    return job.model_copy(update={"output": output})

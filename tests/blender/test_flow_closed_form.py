"""Flow, its validity and scene flow against truth computed in float64 from the numbers that went into Blender."""

import bpy
import numpy as np
import pytest

import oracle
from blender.build import add_mesh
from blender.motion import Film, answer, filmed, keyed, maps_of

pytestmark = pytest.mark.blender

NOW, STEPS = 10, (1, 7)
TIMES = (3, 9, 10, 11, 17)
AWAY = (10240.0, -7168.5, 320.25)
BOX = oracle.BOX_CORNERS, oracle.BOX_TRIANGLES
BALL = oracle.ball(6, 8)
TALL = 2.0


def over_time(value):
    """A property at every frame that is looked at; ``value`` takes the frames from now."""
    return {frame: value(frame - NOW) for frame in TIMES}


class Set:
    """A scene that is built thing by thing, with its closed form."""

    def __init__(self, offset):
        self.offset, self.corners, self.camera = np.array(offset), [], None

    def film(self, *, location=lambda t: (0.0, -8.0, 0.5), rotation=lambda t: (1.5, 0.0, 0.0), lens=lambda t: 40.0):
        self.camera = filmed("camera", location=over_time(lambda t: tuple(self.offset + location(t))),
                             rotation=over_time(rotation), lens=over_time(lens))  # fmt: skip

    def add(self, shape, *, location=lambda t: (0, 0, 0), rotation=lambda t: (0, 0, 0), scale=(1, 1, 1)):
        """A thing that moves as a whole."""
        vertices, triangles = shape
        place = over_time(lambda t: tuple(self.offset + location(t)))
        turn = over_time(rotation)
        owner = add_mesh(f"thing {len(self.corners)}", vertices, triangles, scale=scale)
        keyed(owner, "location", place)
        keyed(owner, "rotation_euler", turn)

        def corners(frame):
            matrix = oracle.placement(place[frame], turn[frame], scale)
            return (vertices @ matrix[:3, :3].T + matrix[:3, 3])[triangles]

        self.corners.append(corners)
        return owner

    def add_deforming(self, owner, triangles, vertices):
        """A thing whose vertices at each frame are known."""
        owner.location = tuple(self.offset)
        self.corners.append(lambda frame: (vertices(frame - NOW) + self.offset)[triangles])

    @property
    def told(self):
        return Film(self.camera, lambda frame: [corners(frame) for corners in self.corners])


def translation(scene):
    scene.add(BOX, location=lambda t: (0.25 * t, 0.125 * t, -0.0625 * t))
    scene.add(BALL, location=lambda t: (1.5 - 0.125 * t, 1.0, 1.0))
    scene.film()


def yaw(scene):
    scene.add(BOX, scale=(1, 0.5, 1))
    scene.film(rotation=lambda t: (1.45, 0.05, 0.03 * t))


def pan_and_dolly(scene):
    scene.add(BOX)
    scene.add(BALL, location=lambda t: (2.5, 4.0, 0.0), scale=(2, 2, 2))
    scene.film(
        location=lambda t: (0.125 * t, -8 + 0.25 * t, 0.5 - 0.03125 * t), rotation=lambda t: (1.5, 0.02 * t, 0.1)
    )


def zoom(scene):
    scene.add(BALL)
    scene.film(lens=lambda t: 40.0 + 2.5 * t)


def turning(scene):
    scene.add(BOX, rotation=lambda t: (0.1 * t, 0.05 * t, 0.3 + 0.2 * t))
    scene.film()


def shape_keys(scene):
    vertices, triangles = oracle.ball(6, 8)
    bulged = vertices * [1.5, 0.75, 1.25] + [0.25, 0, 0.5]
    owner = add_mesh("blob", vertices, triangles)
    owner.shape_key_add(name="Basis")
    block = owner.shape_key_add(name="bulged")
    block.data.foreach_set("co", bulged.astype(np.float32).ravel())
    weights = over_time(lambda t: 0.5 + t / 16)
    keyed(block, "value", weights)
    bulged = bulged.astype(np.float32).astype(np.float64)
    scene.add_deforming(owner, triangles, lambda t: vertices + weights[NOW + t] * (bulged - vertices))
    scene.film()


def armature(scene):
    """A column whose upper half is turned by a bone, with a ring between that follows it by half."""
    levels = np.linspace(-TALL, TALL, 5)
    ring = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    vertices = np.array([[x, y, z] for z in levels for x, y in ring])
    quads = np.array([[4 * i + k, 4 * i + (k + 1) % 4, 4 * i + (k + 1) % 4 + 4, 4 * i + k + 4]
                      for i in range(4) for k in range(4)])  # fmt: skip
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    follows = np.interp(vertices[:, 2], [-1, 1], [0, 1])
    owner = add_mesh("column", vertices, triangles)
    skeleton = bpy.data.objects.new("skeleton", bpy.data.armatures.new("skeleton"))
    bpy.context.scene.collection.objects.link(skeleton)
    skeleton.location = tuple(scene.offset)
    bpy.context.view_layer.objects.active = skeleton
    bpy.ops.object.mode_set(mode="EDIT")
    for name, tail in (("low", -TALL), ("up", TALL)):
        bone = skeleton.data.edit_bones.new(name)
        bone.head, bone.tail = (0, 0, 0), (0, 0, tail)
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, weights in (("low", 1 - follows), ("up", follows)):
        group = owner.vertex_groups.new(name=name)
        for index, weight in enumerate(weights):
            group.add([index], float(weight), "REPLACE")
    owner.modifiers.new("skeleton", "ARMATURE").object = skeleton
    up = skeleton.pose.bones["up"]
    up.rotation_mode = "XYZ"
    angles = over_time(lambda t: 0.4 + 0.05 * t)
    keyed(up, "rotation_euler", {frame: (angle, 0, 0) for frame, angle in angles.items()})

    def bent(t):
        turned = vertices @ oracle.placement((0, 0, 0), (angles[NOW + t], 0, 0))[:3, :3].T
        return vertices + follows[:, None] * (turned - vertices)

    scene.add_deforming(owner, triangles, bent)
    scene.film(location=lambda t: (7.0, -5.0, 1.0), rotation=lambda t: (1.5, 0.0, 0.95))


def passing(scene):
    """Boxes that pass in front of each other, stand side by side, and slide along one another's faces."""
    scene.add(BOX, location=lambda t: (-1.0, 0, 0))
    scene.add(BOX, location=lambda t: (1.0, 0, 0.25 * t))
    scene.add(BOX, location=lambda t: (0.25 * t, -3.0, 0.5), scale=(0.25, 0.25, 0.5))
    scene.add(
        BOX, location=lambda t: (-1.0 + 0.125 * t, -1.5, -0.5), scale=(0.5, 0.5, 0.5), rotation=lambda t: (0, 0, 0)
    )
    scene.add(BOX, location=lambda t: (0, 6, 0), scale=(9, 1, 9))
    scene.film(rotation=lambda t: (1.5, 0.0, 0.01 * t))


def sky(scene):
    """Next to nothing to see: the background alone."""
    scene.add(BOX, location=lambda t: (0, 0, -30))
    scene.film(rotation=lambda t: (1.5 + 0.015625 * t, 0.03 * t, 0.05 * t), lens=lambda t: 40.0 + t)


SCENES = [translation, yaw, pan_and_dolly, zoom, turning, shape_keys, armature, passing, sky]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("offset", [(0, 0, 0), AWAY], ids=["near", "10 km away"])
@pytest.mark.parametrize("build", SCENES, ids=lambda build: build.__name__)
def test_flow_equals_closed_form(build, offset, step, tmp_path):
    scene = Set(offset)
    build(scene)
    maps = maps_of(tmp_path, NOW, flow_step=step)
    v, u = np.mgrid[:120, :160]
    for way, sign in (("forward", 1), ("backward", -1)):
        told = answer(scene.told, NOW, NOW + sign * step)
        assert told.clear.mean() > 0.95
        assert told.sure.mean() > 0.93
        flow, ahead = maps[f"flow_{way}"], told.clear & ~np.isnan(told.landing[..., 0])
        expected = told.landing - np.stack([u, v], axis=-1)
        assert np.isfinite(flow).all()
        np.testing.assert_allclose(flow[ahead], expected[ahead], atol=1e-3, rtol=1e-6)
        np.testing.assert_array_equal(flow[told.clear & ~ahead], 0)
        np.testing.assert_array_equal(maps[f"flow_{way}_valid"][told.sure], told.valid[told.sure])
        np.testing.assert_allclose(maps[f"scene_flow_{way}"][told.clear], told.displacement[told.clear], atol=2e-6)
        assert (np.abs(expected[ahead]) > 0.1).any()
    assert told.valid.sum() > 500

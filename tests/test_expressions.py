"""Programs of opacities against what their steps mean, whatever the writer works out beforehand or leaves out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textures import looked_up

from pixeltruth.expressions import NotEvaluated, Writer
from pixeltruth.snapshot import Operation, Texture

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from see_through import EXTENSIONS, evaluated, points

pytestmark = pytest.mark.blender

MEANING = {
    Operation.ADD: np.add,
    Operation.MULTIPLY: np.multiply,
    Operation.DIVIDE: lambda a, b: np.divide(a, b, out=np.zeros_like(a), where=b != 0),
    Operation.MINIMUM: np.minimum,
    Operation.MAXIMUM: np.maximum,
    Operation.LESS: lambda a, b: (a < b).astype(float),
    Operation.FLOOR: lambda a, _: np.floor(a),
}


NUMBERS = st.sampled_from([-1.0, 0.0, 1.0, 0.5, -0.25, 3.0, 0.1])


STEPS = st.lists(st.tuples(st.sampled_from(list(MEANING)), st.integers(0, 99), st.integers(0, 99)), max_size=12)


GRIDS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 256, (3, 5), dtype=np.uint8))


@settings(max_examples=150, deadline=None)
@given(NUMBERS, NUMBERS, STEPS, GRIDS, st.sampled_from(EXTENSIONS))
def test_programs_mean_what_their_steps_say(first, second, steps, texels, extension):
    """Whatever the writer works out beforehand or leaves out."""
    write, (u, v) = Writer(), points(40)
    place = write.place("map")
    texture = Texture(texels, interpolation="Closest", extension=extension)
    values = [*place, write.constant(first), write.constant(second), write.sample(texture, *place)]
    truths = [u, v, np.full(40, first), np.full(40, second),
              looked_up(texels, u, v, interpolation="Closest", extension=extension)]  # fmt: skip
    with np.errstate(all="ignore"):
        for operation, a, b in steps:
            a, b = a % len(values), b % len(values)
            values.append(write.apply(operation, values[a], values[b]))
            truths.append(MEANING[operation](truths[a], truths[b]))
    keep = np.isfinite(truths).all(axis=0)
    program = write.finish(values[-1], math.nan)  # a threshold that nothing is certainly above or below
    np.testing.assert_array_equal(evaluated(program, u[keep], v[keep]), truths[-1][keep])
    cut = write.finish(values[-1], 0.5)
    there = np.ones(keep.sum(), bool) if cut is None else evaluated(cut, u[keep], v[keep]) >= 0.5
    np.testing.assert_array_equal(there, truths[-1][keep] >= 0.5)


@pytest.mark.parametrize("a", [-0.3, 0.0, 0.4, 1.0])
def test_mix_and_clamp(a):
    write, (u, v) = Writer(), points(100, -1, 2)
    first, second = write.place("map")
    for lower, upper in ((0.0, 1.0), (0.25, 0.5), (1.0, 0.0)):
        limits = write.constant(lower), write.constant(upper)
        program = write.finish(write.clamp(first, *limits), math.nan)
        np.testing.assert_array_equal(evaluated(program, u, v), np.minimum(np.maximum(u, lower), upper))
    for factor in (0.0, 0.25, 1.0, 1.5):
        for b in (0.0, a, 0.7):
            both = write.mix(write.constant(a), write.constant(b), write.constant(factor))
            assert write.number(both) == pytest.approx((1 - factor) * a + factor * b, rel=1e-15, abs=1e-16)
    program = write.finish(write.mix(write.constant(a), second, write.clamp(first)), math.nan)
    share = np.clip(u, 0, 1)
    np.testing.assert_allclose(evaluated(program, u, v), (1 - share) * a + share * v, rtol=1e-13, atol=1e-14)


class TestUnknownValues:
    def test_are_named_where_the_answer_depends_on_them(self):
        write = Writer()
        value = write.mix(write.constant(0.2), write.constant(0.9), write.clamp(write.unknown("noise")))
        with pytest.raises(NotEvaluated, match=r"^noise$"):
            write.finish(value, 0.5)

    @pytest.mark.parametrize(("ends", "there"), [((0.9, 0.6), True), ((1.0, 1.0), True), ((0.4, 0.1), False)])
    def test_do_not_matter_where_every_mixture_is_on_one_side(self, ends, there):
        write = Writer()
        value = write.mix(*map(write.constant, ends), write.clamp(write.unknown("noise")))
        program = write.finish(value, 0.5)
        assert (program is None) == there
        assert there or evaluated(program, np.zeros(1), np.zeros(1)) < 0.5

    def test_may_be_left_out_by_a_comparison(self):
        write = Writer()
        value = write.minimum(write.constant(0.0), write.clamp(write.unknown("noise")))
        assert write.finish(value, 0.5) is not None

    def test_two_uv_maps_are_too_many(self):
        write = Writer()
        with pytest.raises(NotEvaluated, match="several UV maps"):
            write.finish(write.add(write.place("a")[0], write.place("b")[0]), 0.5)


def test_textures_that_never_cross_the_threshold_are_left_out():
    write, place = Writer(), (0, 1)
    place = write.place("map")
    solid = np.full((4, 4), 200, dtype=np.uint8)
    solid[1, 2] = 128
    assert write.finish(write.sample(Texture(solid), *place), 0.5) is None
    assert write.finish(write.sample(Texture(solid, extension="CLIP"), *place), 0.5).textures
    faint = write.finish(write.sample(Texture(solid - 80), *place), 0.5)
    assert (faint.textures, faint.uv_map, len(faint.steps)) == ((), None, 1)

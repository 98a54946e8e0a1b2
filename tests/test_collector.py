"""The search for unreachable objects: off while many are made, on afterwards, and what lasts counts as old."""

import gc

import pytest

import pixeltruth
from datagen_layout import write_scene
from pixeltruth.collector import collection_paused


@pytest.fixture(autouse=True)
def running():
    gc.enable()
    yield
    gc.unfreeze()
    gc.enable()


def is_in(thing, generation):
    return any(known is thing for known in gc.get_objects(generation=generation))


@pytest.mark.parametrize("lasting", [False, True])
def test_it_is_off_within_and_on_afterwards_whatever_happens(lasting):
    @collection_paused(lasting=lasting)
    def fail():
        assert not gc.isenabled()
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.isenabled()


@pytest.mark.parametrize("lasting", [False, True])
def test_where_it_is_off_it_stays_so(lasting):
    gc.disable()
    with collection_paused(lasting=lasting):
        pass
    assert not gc.isenabled()


@pytest.mark.parametrize("lasting", [False, True])
def test_what_lasts_counts_as_old(lasting):
    with collection_paused(lasting=lasting):
        thing = [[]]
    gc.disable()
    assert is_in(thing, 2) == lasting


def test_objects_that_someone_keeps_from_searches_stay_kept():
    kept = [[]]
    gc.freeze()
    with collection_paused(lasting=True):
        thing = [[]]
    gc.disable()
    assert gc.get_freeze_count() > 0
    assert not any(is_in(kept, generation) for generation in range(3))
    assert not is_in(thing, 2)


def test_what_load_makes_counts_as_old(tmp_path):
    write_scene(tmp_path / "scene_00001")
    dataset = pixeltruth.load(tmp_path)
    gc.disable()
    assert is_in(dataset.folders[0].scenes[0], 2)

import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path, PurePath

import pytest
from elsewhere import depth_sum

import datagen_layout
from pixeltruth.check import check
from pixeltruth.dataset import load
from pixeltruth.errors import FormatError, MissingDriverError, MissingExtraError, RenderError
from pixeltruth.export import export_dataset
from pixeltruth.formats import LAYOUTS
from pixeltruth.remote import UrlPath, as_path, local_copy, tree_size, walk
from tests import synthetic

fsspec = pytest.importorskip("fsspec", reason="the `remote` extra, in the reader's environment (make test-reader)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write_dataset(tmp_path_factory.mktemp("remote") / "boxes", scenes=2, cameras=2)


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The same dataset in fsspec's own memory."""
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/data/boxes", recursive=True)
    yield "memory://data/boxes"
    memory.rm("/data", recursive=True)


class TestAsPath:
    def test_local_names_stay_as_they_are(self, tmp_path: Path) -> None:
        assert as_path("a/b") == Path("a/b")
        assert as_path(tmp_path) is tmp_path
        assert as_path("C:\\data") == Path("C:\\data")
        assert type(as_path("s3:/bucket")) is type(Path())

    @pytest.mark.parametrize("url", ["file:///a/b%20c", "file://localhost/a/b c", "local:///a/b c"])
    def test_a_file_url_is_a_local_path(self, url: str) -> None:
        assert as_path(url) == Path("/a/b c")
        assert type(as_path(url)) is type(Path())

    def test_a_file_url_round_trips(self, tmp_path: Path) -> None:
        odd = tmp_path / "50% of #1?"
        assert as_path(odd.as_uri()) == odd

    def test_a_file_on_another_machine(self) -> None:
        with pytest.raises(FormatError, match="names another machine"):
            as_path("file://server/a")

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("s3://bucket/a/b", "s3://bucket/a/b"),
            ("s3://bucket/a//b/", "s3://bucket/a/b"),
            ("memory://", "memory://"),
            ("hdfs:///a", "hdfs:///a"),
            ("simplecache::s3://bucket/a", "simplecache::s3://bucket/a"),
            ("simplecache::file:///a/b", "simplecache::file:///a/b"),
        ],
    )
    def test_a_url_is_a_path_that_shows_it(self, url: str, shown: str) -> None:
        path = as_path(url)
        assert isinstance(path, UrlPath)
        assert isinstance(path, Path)
        assert str(path) == path.as_posix() == f"{path}" == shown
        assert as_path(str(path)) == path
        assert pickle.loads(pickle.dumps(path)) == path


class TestUrlPath:
    def test_names_are_those_of_any_path(self) -> None:
        path = as_path("s3://bucket/scene_1/view.h5")
        assert (path.name, path.stem, path.suffix) == ("view.h5", "view", ".h5")
        assert str(path.parent) == "s3://bucket/scene_1"
        assert str(path.parent / "other" / "x.png") == "s3://bucket/scene_1/other/x.png"
        assert str(path.with_name("y")) == "s3://bucket/scene_1/y"
        inside = path.relative_to(as_path("s3://bucket"))
        assert (str(inside), inside.parts) == ("scene_1/view.h5", ("scene_1", "view.h5"))
        assert path == UrlPath.from_url("s3://bucket/scene_1/view.h5")
        assert path != as_path("gs://bucket/scene_1/view.h5")
        assert len({path, as_path(str(path))}) == 1
        assert sorted([path, path.parent]) == [path.parent, path]
        assert path.resolve() is path
        assert isinstance(path, PurePath)

    def test_files_are_read_through_fsspec(self, url: str, folder: Path) -> None:
        root = as_path(url)
        assert (root.is_dir(), root.is_file(), root.exists()) == (True, False, True)
        listed = root / "dataset.json"
        assert (listed.is_dir(), listed.is_file(), listed.exists()) == (False, True, True)
        assert (root / "nothing").exists() is False
        assert listed.read_bytes() == (folder / "dataset.json").read_bytes()
        assert listed.read_text() == (folder / "dataset.json").read_text("utf-8")
        assert {path.name for path in root.iterdir()} == {path.name for path in folder.iterdir()}
        assert all(path.parent == root for path in root.iterdir())
        assert tree_size(root) == tree_size(folder) > 0

    def test_size_and_bytes_of_a_file(self, url: str, folder: Path) -> None:
        listed = as_path(url) / "dataset.json"
        assert listed.stat().st_size == (folder / "dataset.json").stat().st_size
        with listed.open("rb") as stream:
            stream.seek(2)
            assert stream.read(9) == (folder / "dataset.json").read_bytes()[2:11]
        assert listed.is_symlink() is False

    def test_walks_as_the_system_does(self, url: str, folder: Path) -> None:
        local = {(where.relative_to(folder).parts, *map(frozenset, found)) for where, *found in walk(folder)}
        root = as_path(url)
        assert {(where.relative_to(root).parts, *map(frozenset, found)) for where, *found in walk(root)} == local
        shallow = [folders.clear() or where for where, folders, _ in walk(root)]
        assert shallow == [root]

    def test_what_is_not_there_is_a_file_not_found(self, url: str) -> None:
        with pytest.raises(FileNotFoundError):
            (as_path(url) / "nothing").read_bytes()
        with pytest.raises(FileNotFoundError):
            (as_path(url) / "nothing").iterdir()

    def test_what_works_with_local_files_only_says_so(self, url: str) -> None:
        uses = {
            "open": open, "write": lambda path: path.write_bytes(b""), "text": lambda path: path.open(),
            "glob": lambda path: path.glob("*"), "rglob": lambda path: path.rglob("*"), "mkdir": Path.mkdir,
        }  # fmt: skip
        for use in uses.values():
            with pytest.raises(FormatError, match="memory://data/boxes: is behind a URL"):
                use(as_path(url))

    def test_a_local_copy_for_libraries_that_need_one(self, url: str, folder: Path) -> None:
        with local_copy(as_path(url) / "dataset.json") as copy:
            assert type(copy) is type(Path())
            assert (copy.name, copy.read_bytes()) == ("dataset.json", (folder / "dataset.json").read_bytes())
        assert not copy.exists()
        with local_copy(folder / "dataset.json") as same:
            assert same == folder / "dataset.json"

    def test_whatever_a_driver_raises_is_an_os_error(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("Unable to locate\ncredentials")

        for name in ("isdir", "cat_file"):
            monkeypatch.setattr(type(fsspec.filesystem("memory")), name, refuse)
        with pytest.raises(FormatError, match=f"^{url}: cannot be looked into: RuntimeError: Unable to locate cred"):
            load(url)


class TestLoad:
    def test_everything_is_as_on_disk(self, url: str, folder: Path) -> None:
        remote, local = load(url), load(folder)
        assert len(remote) == len(local) == 16
        for there, here in zip(remote, local, strict=True):
            assert str(there.path) == f"{url}/{here.path.relative_to(folder).as_posix()}"
            assert (there.camera, there.frame, there.lighting) == (here.camera, here.frame, here.lighting)
            assert there.modalities
            for row in here.modalities:
                assert synthetic.same(there[row.name], here[row.name])
            assert there.instances[:] == here.instances[:]
            assert there.metadata == here.metadata
            assert (there.K == here.K).all()
        assert remote.info().bytes == local.info().bytes
        assert remote.problems() == []
        assert check(url) == []
        assert repr(remote) == f"Dataset('{url}': 2 scenes, 16 datapoints)"

    @pytest.mark.parametrize("layout", [layout.name for layout in LAYOUTS])
    def test_every_layout_reads_the_same_from_behind_a_url(self, folder: Path, tmp_path: Path, layout: str) -> None:
        if layout == "datagen":
            folder = tmp_path / layout
            datagen_layout.write_scene(folder / "scene_00001")
            datagen_layout.write_sequence(folder / "scene_00002", frames=2)
        elif layout != "native":
            folder = tmp_path / layout
            options = {"maps": "rgb,depth,normals,instance"} if layout == "exr" else {}
            boxes = load(synthetic.write_dataset(tmp_path / "boxes", lighting=("day",)))
            export_dataset(layout, boxes, folder, **options)
        memory = fsspec.filesystem("memory")
        memory.put(str(folder), f"/layouts/{layout}", recursive=True)
        remote, local = load(f"memory://layouts/{layout}"), load(folder)
        assert {index.layout for index in remote.folders} == {index.layout for index in local.folders}
        assert len(remote) == len(local) > 0
        for there, here in zip(pickle.loads(pickle.dumps(remote)), local, strict=True):
            names = [row.name for row in here.modalities]
            assert [row.name for row in there.modalities] == names
            assert "depth" in names
            assert all(synthetic.same(there[name], here[name]) for name in names)
            assert there.instances[:] == here.instances[:]
            assert there.metadata == here.metadata
        assert remote.problems() == local.problems() == []

    def test_a_file_url(self, folder: Path) -> None:
        assert list(load(folder.as_uri())) == list(load(folder))

    def test_local_and_remote_at_once_and_pickled(self, url: str, folder: Path) -> None:
        both = pickle.loads(pickle.dumps(load(folder, url)))
        assert len(both) == 32
        assert synthetic.same(both[3].depth, both[19].depth)
        point = both[20]
        depth = point.depth
        assert len(pickle.dumps(point)) < depth.nbytes
        assert pickle.loads(pickle.dumps(point)) == point

    def test_filter_and_split_do_not_depend_on_the_place(self, url: str, folder: Path) -> None:
        parts = [load(place).split({"a": 0.5, "b": 0.5}, "datapoint") for place in (url, folder)]
        names = [[str(point.path).rpartition("boxes")[2] for point in part["a"]] for part in parts]
        assert names[0] == names[1]
        assert len(load(url).filter(lighting="day", noise_seed=0)) == 8

    def test_a_file_is_fetched_once(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        fetched, fetch = [], UrlPath.read_bytes
        monkeypatch.setattr(UrlPath, "read_bytes", lambda path: fetched.append(path) or fetch(path))
        point = load(url)[0]
        fetched.clear()
        _ = point.depth, point.normals, point.rgb, point.instances, point.viewpoint
        assert fetched == [point.path]

    def test_what_is_damaged_or_missing_is_named(self, url: str) -> None:
        memory = fsspec.filesystem("memory")
        memory.cp("/data/boxes", "/data/broken", recursive=True)
        dataset = load("memory://data/broken")
        memory.pipe(f"{memory._strip_protocol(str(dataset[0].path))}", b"no HDF5")
        memory.rm(memory._strip_protocol(str(dataset[2].path)))
        with pytest.raises(FormatError, match=r"view_000001\.h5: cannot be read as a view file"):
            _ = dataset[0].depth
        with pytest.raises(FormatError, match=r"view_000005\.h5: is missing"):
            _ = dataset[2].depth
        assert [problem.law for problem in dataset.problems()] == ["readable", "readable"]
        memory.pipe("/data/broken/scene_00002/scene.json", b"{")
        assert str(load("memory://data/broken").problems()[0]).startswith(
            "memory://data/broken/scene_00002/scene.json: readable: is not valid JSON"
        )

    def test_what_is_no_dataset(self, url: str) -> None:
        with pytest.raises(FormatError, match="memory://nowhere: is no folder"):
            load("memory://nowhere")
        with pytest.raises(FormatError, match="memory://data: holds datasets in its folders: name them, as in"):
            load("memory://data")
        fsspec.filesystem("memory").pipe("/other/readme.txt", b"nothing")
        with pytest.raises(FormatError, match=r"memory://other: is no dataset: it holds no dataset\.json"):
            load("memory://other")


class TestMissing:
    def test_a_driver_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "s3fs", None)
        with pytest.raises(MissingDriverError, match=r"^no driver for s3:// is installed; run: pip install s3fs$"):
            load("s3://bucket/dataset")
        with pytest.raises(ImportError):
            load("s3://bucket/dataset")

    def test_a_scheme_that_nobody_knows(self) -> None:
        with pytest.raises(FormatError, match=r"^tape://a: fsspec cannot open such a URL: Protocol not known: tape"):
            load("tape://a")

    def test_fsspec_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fsspec.core", None)
        with pytest.raises(MissingExtraError, match=r"fsspec is not installed; run: pip .*remote\]'"):
            load("s3://bucket/dataset")


class TestProcesses:
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_files_behind_a_driver_are_read_in_other_processes(self, folder: Path, method: str) -> None:
        dataset = load(f"simplecache::file://{folder}")
        assert isinstance(dataset.path, UrlPath)
        expected = [depth_sum(dataset, index) for index in (0, 5)]
        with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
            assert [pool.submit(depth_sum, dataset, index).result() for index in (0, 5)] == expected

    @pytest.mark.parametrize(
        "error",
        [
            FormatError(Path("a"), "is damaged"),
            FormatError(as_path("s3://a/b"), "is damaged"),
            RenderError("died", log=Path("log")),
            MissingExtraError("torch", "torch"),
            MissingDriverError("s3", "s3fs"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_come_home_from_them(self, error: Exception) -> None:
        twin = pickle.loads(pickle.dumps(error))
        assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))

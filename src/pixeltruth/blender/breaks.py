"""Where flow cannot follow a surface from one frame to another: told object by object, once the frames are planned."""

from collections.abc import Iterator

from pixeltruth.blender.stage import Moment
from pixeltruth.correspondence import Fate, correspond
from pixeltruth.identity import Key
from pixeltruth.manifest import ReportEntry
from pixeltruth.snapshot import Mesh

_PROBLEMS = {
    Fate.CHANGED: "its mesh is built otherwise at frame {there} than at {here}: flow between them takes it as rigid, "
    "and is not valid",
    Fate.GONE: "is not there at frame {there}: flow from frame {here} leaves it where it is, and is not valid",
    Fate.AMBIGUOUS: "has copies that nothing tells apart at frames {here} and {there}: flow leaves them where they "
    "are, and is not valid",
}
_HIDDEN = "hidden from renders at frame {there}: flow from frame {here} is as if this camera stood still, and not valid"


class Breaks:
    """What was lost between the frames seen so far: of each object and kind of loss the first pair of frames."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, here: Moment, there: Moment) -> None:
        """Adds what is lost between a frame and the one to which its flow goes."""
        mine = [(key, mesh) for key, mesh, holdout in _copies(here) if not holdout]  # a holdout is nothing
        fates = correspond(mine, ((key, mesh) for key, mesh, _ in _copies(there))).fate
        for index in fates.nonzero()[0].tolist():
            self._add(str(mine[index][0][-1]), _PROBLEMS[Fate(fates[index])], (here.frame, there.frame))
        for name in {view.name for view in here.views} - {view.name for view in there.views}:
            self._add(name, _HIDDEN, (here.frame, there.frame))

    def _add(self, name: str, problem: str, frames: tuple[int, int]) -> None:
        known = self._found.get((name, problem), frames)
        self._found[name, problem] = min(known, frames, key=lambda pair: (min(pair), pair))

    def notes(self) -> list[ReportEntry]:
        """A note on each loss, by the object's name."""
        return [
            ReportEntry(object=name, problem=problem.format(here=here, there=there))
            for (name, problem), (here, there) in sorted(self._found.items())
        ]


def _copies(moment: Moment) -> Iterator[tuple[Key, Mesh, bool]]:
    """Key and mesh of every copy, and whether it is a holdout."""
    found = moment.survey
    return ((copy.chain[0].key, found.meshes[copy.mesh], copy.holdout) for copy in found.copies)

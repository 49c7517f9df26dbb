"""``run --show FILE.png``: answers as a person looks at them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.bundles.bundle import open_bundle
from edgekit.common.files import replacing
from edgekit.core import Prediction, Task
from edgekit.errors import BadInput, Unsupported
from edgekit.registry import find, names

_ENDING = ".png"


class Drawer:
    """Draws the answers of a bundle, by its task's `edgekit.core.Task.show`.

    Args:
        bundle: its folder. file: of the drawing. count: of inputs; of several, the drawings are ``FILE-1.png``,
            ``FILE-2.png`` and so on.

    Raises:
        BadInput: the file has another ending, or `bundle` is no bundle. Unsupported: the task draws nothing.
    """

    def __init__(self, bundle: str, file: str, count: int) -> None:
        self._file, self._count = Path(file), count
        if self._file.suffix.lower() != _ENDING:
            raise BadInput(f"{file!r} is no {_ENDING} file.", hint="Write for example: --show answer.png")
        task: Task = find("tasks", open_bundle(Path(bundle), hashes=False).manifest.model.task)
        if task.show is None:
            drawing = [name for name in names("tasks") if find("tasks", name).show is not None]
            raise Unsupported(
                f"the task {task.name} draws nothing: its answer is text or numbers.",
                hint=f"Leave --show out. Tasks that draw: {', '.join(drawing)}.",
            )
        self._show: Callable[[Any, Prediction], Any] = task.show

    def draw(self, sample: Any, prediction: Prediction, number: int) -> Path:
        """Write the drawing of the answer to input `number`, from 1, whole or not at all, and return where it is."""
        place = self._file
        if self._count > 1:
            place = place.with_name(f"{place.stem}-{number}{place.suffix}")
        image = self._show(sample, prediction)
        with replacing(place) as fresh:
            image.save(fresh, format="PNG")
        return place

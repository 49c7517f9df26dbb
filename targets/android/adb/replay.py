"""The program of ``phone/replay.h`` on a phone: started through its own loader, watched, its results read strictly."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.errors import DeviceFailed
from edgekit.targets.android.adb.facts import Cluster
from edgekit.targets.android.adb.phone import Phone, clean
from edgekit.targets.android.arm64.kit import LOADER
from edgekit.targets.common import calls as calls_module
from edgekit.targets.common.values import Result

#: Bytes that results may have.
_MOST = 64_000_000
#: Seconds beyond its own limit after which a program that does not end by itself is killed.
_GRACE = 30.0
_SIGNALS = {
    4: "an instruction that this processor does not have",
    6: "abort",
    7: "a bus error",
    9: "SIGKILL, as the system does when memory runs out",
    11: "a segmentation fault",
}
_ALARM = 14


class Setting(NamedTuple):
    """How many threads, and on which cores (None: wherever the system puts them)."""

    threads: int
    cluster: Cluster | None = None

    @property
    def name(self) -> str:
        where = self.cluster.name if self.cluster else "any core"
        return f"{self.threads} thread{'s' if self.threads != 1 else ''}, {where}"


class Rounds(NamedTuple):
    """Rounds over all calls: how many are thrown away, how many are made at most, and seconds that these may take."""

    warmups: int
    most: int
    seconds: float

    def arguments(self, calls: str) -> str:
        """Of the program's way ``timed``. `calls`: the file with all of them, there."""
        return f"{calls} {self.warmups} {self.most} {self.seconds:g}"


class Speeds(NamedTuple):
    """What a language model does: the first token after `first` tokens in a context of `context`, a prompt of `prompt`
    tokens, `generate` tokens each by itself; `repeats` values of each. 0 leaves a test out."""

    context: int
    first: int
    prompt: int
    generate: int
    repeats: int

    def arguments(self, calls: str) -> str:
        """Of the program's way ``speeds``."""
        return " ".join(map(str, self))

    @property
    def names(self) -> dict[str, str]:
        """As the program names a test -> as a report does."""
        return {"first": "first_token", "prompt": f"pp{self.prompt}", "generate": f"tg{self.generate}"}


class Replay(NamedTuple):
    """What is to be run: on which phone, in which folder there, and the names of files in it.

    Attributes:
        library: the runtime's file, or "." where it is all files of the folder. models: of every part, in order.
        calls: all calls of all parts. work: a folder here.
        limit: seconds that a process may take.
    """

    phone: Phone
    folder: str
    library: str
    models: Sequence[str]
    calls: str
    work: Path
    limit: float

    def answers(self, part: int, which: Sequence[int]) -> Sequence[calls_module.Tensors]:
        """What part number `part` answers there to the calls `which`.

        Raises:
            DeviceFailed: the program crashed or hung, the phone is gone, or the answers are not whole.
        """
        names = f"{self.folder}/{self.library} {self.folder}/{self.models[part]} 2 {self.folder}/{self.calls}"
        chosen = ",".join(map(str, which))
        self._start(f"some {names} {part} {chosen} {self.folder}/answers", f"part {part + 1}")
        self.phone.pull(f"{self.folder}/answers", self.work / "answers", 16 * _MOST)
        return calls_module.read(self.work / "answers")

    def run_measurement(self, setting: Setting, plan: Rounds | Speeds) -> Result:
        """Measure all calls of all parts, or the speeds of a language model, in a fresh process.

        Raises:
            DeviceFailed: as `answers`.
        """
        cores = ",".join(map(str, setting.cluster.cores)) if setting.cluster else "-"
        models = " ".join(f"{self.folder}/{model}" for model in self.models)
        way = "speeds" if isinstance(plan, Speeds) else "timed"
        start = f"{way} {self.folder}/result {self.folder}/{self.library} {setting.threads} {cores}"
        numbers = f"{math.ceil(self.limit)} {plan.arguments(f'{self.folder}/{self.calls}')}"
        self._start(f"{start} {numbers} {models}", f"the replay with {setting.name}")
        self.phone.pull(f"{self.folder}/result", self.work / "result", _MOST)
        return read((self.work / "result").read_bytes(), len(self.models), plan)

    def _start(self, arguments: str, what: str) -> None:
        """Run the program; its process number lies in the folder meanwhile, so that whoever comes later can end it."""
        loader = f"{self.folder}/{LOADER} --library-path {self.folder} {self.folder}/replay"
        command = (
            f"cd {self.folder} && unset LD_PRELOAD LD_LIBRARY_PATH && rm -f answers result && "
            f"sh -c 'echo $$ > pid; exec {loader} {arguments}'"
        )
        said = self.phone.shell(command, f"{what} ran", self.limit + _GRACE)
        if said.code == 128 + _ALARM:
            raise DeviceFailed(
                f"{what} did not come to an end within {self.limit:g} s on the phone, and was stopped.",
                hint="A large model on a slow phone may take longer: --limit SECONDS",
            )
        if said.code:
            lines = [line for line in said.err.splitlines() if line.strip()]
            reason = clean(lines[-1]) if lines else ""
            if said.code > 128:
                number = said.code - 128
                reason = f"it was ended by {_SIGNALS.get(number, f'signal {number}')}"
            raise DeviceFailed(f"{what} failed on the phone: {reason or f'exit code {said.code}'}.")


def read(content: bytes, parts: int, plan: Rounds | Speeds) -> Result:
    """A result as the program wrote it. Raises DeviceFailed for what it cannot have written to its end."""
    nothing: tuple[Any, Any] = ((), ((),) * parts)
    try:
        document = json.loads(content)
        if document["end"] is not True:
            raise ValueError("its end is missing")
        load = document["load"]
        values = warmups = nothing
        speeds: dict[str, tuple[float, ...]] = {}
        if isinstance(plan, Speeds):
            speeds = {name: _seconds(document["speeds"][test]) for test, name in plan.names.items()}
        else:
            values, warmups = (_times(document[key], parts) for key in ("values", "warmups"))
        result = Result(
            clean(str(document["runtime"])),
            tuple(int(core) for core in document["cores"]),
            _seconds([load["library"]])[0],
            _seconds(load["parts"]),
            _seconds([load["whole"]])[0],
            *values,
            warmups,
            speeds,
            *(_whole(document[key]) for key in ("inputs", "peak", "anonymous", "file")),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as exc:
        raise DeviceFailed(f"the results of the phone cannot be read: {clean(str(exc))}.") from exc
    if isinstance(plan, Speeds):
        counts = {name: plan.repeats if getattr(plan, test) else 0 for test, name in plan.names.items()}
        whole = {name: len(values) for name, values in speeds.items()} == counts and all(map(all, speeds.values()))
    else:
        whole = bool(result.whole) and all(result.parts)
    if len(result.loads) != parts or not whole:
        raise DeviceFailed("the results of the phone are not those of all parts.")
    return result


def _times(document: Mapping[str, Any], parts: int) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    times = tuple(_seconds(values) for values in document["parts"])
    if len(times) != parts:
        raise ValueError("another number of parts")
    return _seconds(document["whole"]), times


def _seconds(values: Sequence[Any]) -> tuple[float, ...]:
    seconds = tuple(float(value) for value in values)
    if not all(math.isfinite(value) and value >= 0 for value in seconds):
        raise ValueError("a time that no clock shows")
    return seconds


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 50:
        raise ValueError("a size that no memory has")
    return value

"""edgekit's folder on a phone: files by their hash, which stay, and a folder for a run, which goes.

::

    /data/local/tmp/edgekit/
        store/SHA256    the runtime, the runner, the parts of bundles; what is there already is not copied again
        run-ID/         links to them under their names, the inputs and results of one run, the runner's process number

A run that was killed leaves a folder and perhaps a process behind: the next run ends and removes them first, and every
file of the store whose content is not its name's (a copy that was cut off) goes, too.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from edgekit.errors import DeviceFailed
from edgekit.targets.android.adb.phone import Phone

ROOT = "/data/local/tmp/edgekit"
#: Bytes that the store may hold before what this run does not need goes.
_MOST = 2_000_000_000
#: Bytes that a phone must have left for the runner's own needs.
_SPARE = 20_000_000
#: Seconds for what reads or removes whole files.
_LONG = 300.0

# Ends process $p. Only one of ours: a number that was used again since belongs to somebody else.
_END = f"""case "$p" in
  ''|*[!0-9]*) ;;
  *) case "$(cat /proc/$p/cmdline 2>/dev/null)" in *{ROOT}*) kill -9 $p;; esac;;
esac"""
_TIDY = f"""mkdir -p {ROOT}/store && cd {ROOT} || exit 9
for r in run-*; do
  [ -d "$r" ] || continue
  p=$(cat "$r/pid" 2>/dev/null)
  {_END}
  rm -rf "$r"
done
rm -f store/*.part
cd store || exit 9
for f in *; do [ -f "$f" ] && sha256sum "$f" && wc -c "$f"; done
df -k . | tail -n 1
"""


class Run(NamedTuple):
    """A folder for a run, absolute; `pushed` are the bytes that were copied for it, by name."""

    folder: str
    pushed: Mapping[str, int]


class Store:
    """What is on the phone already. Clears away what killed runs left.

    Raises:
        DeviceFailed: the phone lets nothing be written there, or is gone.
    """

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        said = phone.shell(_TIDY, "what earlier runs left was cleared away", _LONG)
        if said.code == 9:
            raise DeviceFailed(f"the phone lets nothing be written to {ROOT}: {said.err.strip() or 'no reason'}.")
        self._sizes: dict[str, int] = {}
        wrong = []
        lines = said.out.splitlines()
        for hashed, sized in itertools.pairwise(lines):
            digest, _, name = hashed.partition("  ")
            count, _, again = sized.strip().partition(" ")
            if len(digest) == 64 and count.isdigit() and name == again.strip():
                if name == digest:
                    self._sizes[name] = int(count)
                elif "/" not in name and "'" not in name:
                    wrong.append(name)
        self.free = _free(lines[-1] if lines else "")
        if wrong:
            self._remove(wrong)

    @contextmanager
    def run(self, files: Mapping[str, Path], inputs: Mapping[str, Path]) -> Iterator[Run]:
        """A folder with links to `files` by name, and copies of `inputs`; removed in the end, whatever happens.

        Names come from edgekit: letters, digits, dots and hyphens.

        Raises:
            DeviceFailed: not enough space, or the phone is gone.
        """
        digests = {name: _hash(file) for name, file in files.items()}
        lacking = {digests[name]: file for name, file in files.items() if digests[name] not in self._sizes}
        self._make_room(lacking, inputs, set(digests.values()))
        pushed = {}
        for digest, file in lacking.items():
            self._phone.push(file, f"{ROOT}/store/{digest}.part")
            pushed[next(name for name, known in digests.items() if known == digest)] = file.stat().st_size
        folder = f"{ROOT}/run-{secrets.token_hex(6)}"
        try:
            self._lay_out(folder, digests, lacking)
            for name, file in inputs.items():
                self._phone.push(file, f"{folder}/{name}")
                pushed[name] = file.stat().st_size
            yield Run(folder, pushed)
        finally:
            # A phone that is gone cannot be tidied; the next run does it.
            with suppress(DeviceFailed):
                self._phone.shell(
                    f"p=$(cat {folder}/pid 2>/dev/null) && {_END}\nrm -rf {folder} {ROOT}/store/*.part",
                    "the run was cleared away",
                    _LONG,
                )

    def _lay_out(self, folder: str, digests: Mapping[str, str], fresh: Mapping[str, Path]) -> None:
        lines = [f"mkdir -p {folder} && cd {ROOT}/store || exit 9"]
        for digest in fresh:
            lines.append(f'[ "$(sha256sum < {digest}.part | cut -c 1-64)" = {digest} ] || exit 8')
            lines.append(f"chmod 755 {digest}.part && mv {digest}.part {digest} || exit 9")
        lines += [f"ln -s ../store/{digest} {folder}/{name} || exit 9" for name, digest in digests.items()]
        said = self._phone.shell("\n".join(lines), "files were put in place", _LONG)
        if said.code == 8:
            raise DeviceFailed("a file arrived on the phone cut off or damaged.", hint="Run the same command again.")
        if said.code:
            raise DeviceFailed(f"files could not be put in place on the phone: {said.err.strip() or 'no reason'}.")
        self._sizes |= {digest: file.stat().st_size for digest, file in fresh.items()}

    def _make_room(self, lacking: Mapping[str, Path], inputs: Mapping[str, Path], needed: set[str]) -> None:
        """Remove what this run does not need, where space is short or the store has grown large."""
        wanted = sum(file.stat().st_size for file in (*lacking.values(), *inputs.values())) + _SPARE
        short = self.free is not None and self.free < wanted
        if short or sum(self._sizes.values()) + wanted > _MOST:
            idle = [digest for digest in self._sizes if digest not in needed]
            freed = sum(self._sizes[digest] for digest in idle)
            self._remove(idle)
            self.free = None if self.free is None else self.free + freed
        if self.free is not None and self.free < wanted:
            raise DeviceFailed(
                f"the phone has {self.free / 1e6:.0f} MB free where {ROOT} is, and this takes {wanted / 1e6:.0f} MB.",
                hint="Delete something on the phone, or export a smaller precision.",
            )

    def _remove(self, names: list[str]) -> None:
        if names:
            listed = " ".join(f"'{name}'" for name in names)
            self._phone.shell(f"cd {ROOT}/store && rm -f -- {listed}", "old files were removed", _LONG)
        for name in names:
            self._sizes.pop(name, None)


def _free(line: str) -> int | None:
    """Bytes that ``df -k`` calls available in its last line; None where that says nothing."""
    words = line.split()
    return int(words[-3]) * 1024 if len(words) >= 5 and words[-3].isdigit() else None


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

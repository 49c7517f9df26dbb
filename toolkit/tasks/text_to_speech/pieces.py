"""Phonemes as ids of a voice's table, in pieces that a network takes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.errors import BadInput


class Alphabet:
    """A table of phonemes as Piper's voices state it: phoneme -> its ids; "_" stands between all, "^" and "$" at the
    begin and the end.

    Raises:
        BadInput: a table without these three, or with something else than ids.
    """

    def __init__(self, table: Mapping[str, Sequence[int]]) -> None:
        whole = all(isinstance(ids, (list, tuple)) and all(isinstance(i, int) for i in ids) for ids in table.values())
        if not whole or not {"_", "^", "$"} <= set(table):
            raise BadInput(
                "the voice's table of phonemes is not Piper's.", hint="Give the .onnx.json beside its .onnx."
            )
        self._table = {name: list(ids) for name, ids in table.items()}

    def notes(self, phonemes: str) -> list[str]:
        """What is left out."""
        unknown = sorted({letter for letter in phonemes if letter not in self._table})
        return [f"the voice does not know the phonemes {' '.join(unknown)}: left out"] if unknown else []

    def pieces(self, sentence: str, most: int) -> list[list[int]]:
        """The ids of a sentence; of a long one in pieces of at most `most` ids, cut behind a comma or a word.

        Raises:
            BadInput: the voice knows none of its phonemes.
        """
        known = [letter for letter in sentence if letter in self._table]
        if not any(letter.isalpha() for letter in known):
            raise BadInput(
                f"the voice knows no phoneme of {sentence[:60]!r}.", hint="See manifest.json: facts, alphabet."
            )
        widest = max(len(self._table[letter]) + len(self._table["_"]) for letter in known)
        room = max(1, (most - sum(len(self._table[name]) for name in "^_$")) // widest)
        pieces = []
        while known:
            cut = _cut(known, room)
            pieces.append(self._ids(known[:cut]))
            known = known[cut:]
        return pieces

    def _ids(self, letters: Sequence[str]) -> list[int]:
        ids = [*self._table["^"], *self._table["_"]]
        for letter in letters:
            ids += [*self._table[letter], *self._table["_"]]
        return [*ids, *self._table["$"]]


def _cut(letters: Sequence[str], room: int) -> int:
    """How many letters go into the next piece."""
    if len(letters) <= room:
        return len(letters)
    for marks in (",;:", ""):
        for at in range(room - 1, room // 2, -1):
            if letters[at] == " " and (not marks or letters[at - 1] in marks):
                return at + 1
    return room

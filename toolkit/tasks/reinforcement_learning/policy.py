"""The pipeline of policies: an observation in, an action out, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.reinforcement_learning.observations import observations_in

#: Steps that are printed.
_SHOWN = 20


class Steering(Predictor):
    """A policy without state.

    `facts`: ``limit``, the largest action that motors follow: they clip what is beyond. The simulator's reward knows
    the action before that, so both are given.
    """

    def __init__(self, parts: Mapping[str, Runner], facts: Facts) -> None:
        (self._network,) = parts.values()
        self._observation, self._action = self._network.inputs[0], self._network.outputs[0]
        self._limit = fact_of(facts, "limit", float)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The actions for the observations of a sample (`edgekit.tasks.reinforcement_learning.observations`).

        Returns:
            The last action as text; all of them in the details: ``actions``, and ``applied``, within the limit.

        Raises:
            BadInput: an observation of another size, or an option is unknown.
        """
        check_names(options, ())
        rows = observations_in(sample)
        wanted = self._observation.shape[-1]
        if rows.shape[1] != wanted:
            raise BadInput(f"an observation has {rows.shape[1]} numbers; this robot's has {wanted}.")
        actions = np.concatenate(
            [self._network({self._observation.name: row[None]})[self._action.name] for row in rows]
        )
        applied = np.clip(actions, -self._limit, self._limit)
        lines = [f"step {i + 1:4}: {_text(action)}" for i, action in enumerate(applied[:_SHOWN])]
        lines += [f"... {len(applied) - _SHOWN} more"] if len(applied) > _SHOWN else []
        details = {"actions": actions.tolist(), "applied": applied.tolist(), "lines": lines}
        return Prediction(_text(applied[-1]), details, {"steps": float(len(rows))}, score=applied)


def _text(action: Any) -> str:
    return " ".join(f"{value:+.2f}" for value in action)

"""Qualcomm's simulator of its neural processor, in the process of `edgekit.runtimes.common.process`.

Questions, by their key ``"do"``:

- ``"place"``: which nodes of ``file`` the processor of the chip ``unit`` takes. Answers ``groups``: names of the nodes
  of each piece, by who runs it.
- ``"compile"``: writes the context binary of the graphs ``files`` for ``unit``, which share their weights, and for each
  of them an ONNX file of ``outs`` that names it.
- ``"run"``: what ``file`` (a graph, or a context) gives for the arrays. Every node must be on the processor where
  ``whole`` is set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from edgekit.runtimes.common.process import serve

_NAME = "QNN"
#: The last session: its load takes seconds, and calls come one after another.
_open: dict[tuple[str, int, str, bool], Any] = {}


def _session(file: str, unit: str, entries: Mapping[str, str], provider: Mapping[str, str] | None = None) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    devices = [device for device in ort.get_ep_devices() if device.ep_name == _NAME]
    if not devices:
        raise RuntimeError("the plug-in has no device")
    for name, value in entries.items():
        options.add_session_config_entry(name, value)
    options.add_provider_for_devices(devices[:1], {"backend_type": "htp", "soc_model": unit, **(provider or {})})
    return ort.InferenceSession(file, options)


def _place(file: str, unit: str) -> dict[str, Any]:
    session = _session(file, unit, {"session.record_ep_graph_assignment_info": "1"})
    groups = session.get_provider_graph_assignment_info()
    return {"groups": [[group.ep_name == _NAME, [node.name for node in group.get_nodes()]] for group in groups]}


def _compile(files: Sequence[str], unit: str, outs: Sequence[str]) -> None:
    held = []  # sessions that share a binary must all live until the last one writes it
    for file, out in zip(files, outs, strict=True):
        entries = {"ep.context_enable": "1", "ep.context_file_path": out, "ep.context_embed_mode": "0"}
        sharing = {}
        if len(files) > 1:
            sharing = {"enable_htp_weight_sharing": "1"}
            entries |= {"ep.share_ep_contexts": "1", "ep.stop_share_ep_contexts": str(int(file == files[-1]))}
        held.append(_session(file, unit, entries, sharing))


def _run(file: str, unit: str, whole: bool, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    key = (file, Path(file).stat().st_mtime_ns, unit, whole)
    if key not in _open:
        _open.clear()
        # Without it a graph that the processor does not take is computed on the CPU, and nobody is told.
        try:
            _open[key] = _session(file, unit, {"session.disable_cpu_ep_fallback": "1"} if whole else {})
        except Exception as exc:  # onnxruntime's exceptions share no base but Exception
            if whole and "fallback" in str(exc):
                raise RuntimeError("the processor takes only some of the layers, or none") from exc
            raise
    session = _open[key]
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(arrays)), strict=True))


def _answer(words: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    unit = str(words["unit"])
    match words["do"]:
        case "place":
            return _place(words["file"], unit), {}
        case "compile":
            _compile(words["files"], unit, words["outs"])
            return {}, {}
        case "run":
            return {}, _run(words["file"], unit, words["whole"], arrays)
    raise ValueError(words["do"])


if __name__ == "__main__":
    import onnxruntime_qnn  # an extra of its own: without it the module is read all the same

    ort.register_execution_provider_library(_NAME, onnxruntime_qnn.get_library_path())
    serve(_answer)

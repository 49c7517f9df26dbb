"""Weights on disk -> `Checkpoint`: their format and tensors, with every value in the file checked.

Not here: the meaning of the tensors (the models know it), and formats that an exporter reads itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.common.arrays import read_arrays
from edgekit.common.documents import parse_json, read_table
from edgekit.common.files import hash_file
from edgekit.common.lazy import NDArray, np, torch
from edgekit.core import Checkpoint
from edgekit.errors import BadInput, need
from edgekit.formats import ctranslate2, gguf, literals, onnx, tensor_bundles, tflite, torch_pickles

_ACCEPTED = (
    "Accepted: a Hugging Face folder (config.json with model.safetensors, its shards, or pytorch_model.bin), "
    "a CTranslate2 model.bin or its folder, an OpenAI .pt file, a state dict (.pt, .pth, .ckpt), a .tflite or a folder "
    "of them, an .onnx, a .npz, a .pt2, the variables/ folder of a TensorFlow SavedModel, a .py that writes arrays out."
)
#: FlatBuffers' offsets have 31 bits.
_LARGEST_TFLITE = 2**31
_SCRIPTS = (".pt", ".pth", ".ckpt")
#: The file with the weights among those of a SpeechBrain speaker model.
_SPEECHBRAIN = "embedding_model.ckpt"
_INDEX = "model.safetensors.index.json"


def read_checkpoint(path: Path) -> Checkpoint:
    """Open the weights in `path`.

    Args:
        path: a folder or a file in a format that the error message lists.

    Returns:
        A checkpoint, whose format is one of these:

        - ``"safetensors"``, ``"pytorch"``: a Hugging Face folder, or a bare file of tensors, without a config. State
          dicts inside a dict get their key before their names, ``"KEY.NAME"``.
        - ``"tensorflow"``: a folder with ``variables.index`` and a data file.
        - ``"ctranslate2"``: its config also has ``spec`` and ``spec_revision``.
        - ``"openai"``: its config is the file's ``dims``.
        - ``"numpy"``: a .npz. ``"literals"``: a .py that writes arrays out, read as data.
        - ``"pt2"``: a program of torch.export, without tensors (`edgekit.formats.pt2`).
        - ``"tflite"``, ``"onnx"``: no tensors, the exporter reads the file.
        - ``"tflites"``, ``"onnxes"``: a folder of several such files.

        Tensors have their stored dtype and shape; bfloat16 comes as float32. They may be read-only,
        unaligned views of the mapped file: copy (``numpy.array(x, dtype)``) before handing them to another library.

    Raises:
        BadInput: no known format, or a damaged or hostile file.
        MissingExtra: numpy, safetensors or torch is not installed.
    """
    path = path.expanduser()
    if not path.exists():
        raise BadInput(f"there is no file or folder {str(path)!r}.", hint=_ACCEPTED)
    with need("export", "reading weights"):
        import numpy  # noqa: F401 - only to say early what is missing
    if path.is_dir():
        return _folder(path)
    if path.name in ("model.safetensors", _INDEX, "pytorch_model.bin") or _is_shard(path):
        return _folder(path.parent)
    return _file(path)


def _folder(folder: Path) -> Checkpoint:
    have = {path.name for path in folder.iterdir() if path.is_file()}
    if "model.safetensors" in have:
        return _hugging_face(folder, "safetensors", ["model.safetensors"], _safetensors)
    if _INDEX in have:
        return _read_shards(folder)
    if "model.bin" in have:
        return _file(folder / "model.bin")
    if "pytorch_model.bin" in have:
        return _hugging_face(folder, "pytorch", ["pytorch_model.bin"], _pytorch)
    ready = sorted(name for name in have if name.endswith(".tflite"))
    if len(ready) == 1:
        return _file(folder / ready[0])
    archives = sorted(name for name in have if name.endswith(".npz"))
    if len(archives) == 1:
        return _file(folder / archives[0])
    if {tensor_bundles.INDEX, tensor_bundles.DATA} <= have:
        files = {name: hash_file(folder / name) for name in (tensor_bundles.INDEX, tensor_bundles.DATA)}
        return Checkpoint(folder, "tensorflow", tensor_bundles.read(folder), {}, files)
    if held := sorted(name for name in have if name.endswith(".gguf")):
        return _gguf(folder, held)
    scripts = sorted(name for name in have if name.endswith(_SCRIPTS))
    if _SPEECHBRAIN in scripts:
        return _file(folder / _SPEECHBRAIN)
    if len(scripts) == 1:
        return _file(folder / scripts[0])
    if len(ready) > 1 and not scripts:
        return _chain(folder, ready)
    single = sorted(name for name in have if name.endswith((".safetensors", ".onnx")))
    if len(single) == 1 and not scripts:
        return _file(folder / single[0])
    graphs = [name for name in single if name.endswith(".onnx")]
    if len(graphs) > 1 and graphs == single and not scripts:
        return _graphs(folder, graphs)
    if len(have) == 1 and (lone := min(have)).endswith(".py"):
        return _file(folder / lone)
    what = f"{len(scripts)} PyTorch files instead of a single file" if scripts else "no weights that can be read"
    raise BadInput(f"{str(folder)!r} holds {what}.", hint=_ACCEPTED)


def _file(path: Path) -> Checkpoint:
    if path.suffix == ".safetensors":
        if (path.parent / "config.json").is_file():
            return _hugging_face(path.parent, "safetensors", [path.name], _safetensors)
        return Checkpoint(path, "safetensors", _safetensors(path), {}, {path.name: hash_file(path)})
    if path.suffix in _SCRIPTS:
        return _script(path)
    if path.suffix in (".tflite", ".pt2"):  # an exporter or an importer reads it; here a .tflite is only checked
        if path.suffix == ".tflite":
            _check_tflite(path)
        return Checkpoint(path, path.suffix[1:], {}, {}, {path.name: hash_file(path)})
    if path.suffix == ".onnx":  # likewise
        beside = onnx.open_file(path).facts.external
        files = {name: hash_file(path.parent / name) for name in (path.name, *beside)}
        return Checkpoint(path=path, format="onnx", tensors={}, config={}, files=files)
    if path.suffix == ".npz":
        return Checkpoint(path, "numpy", read_arrays(path, path.name), {}, {path.name: hash_file(path)})
    if path.suffix == ".py":
        return Checkpoint(path, "literals", literals.read(path), {}, {path.name: hash_file(path)})
    if path.suffix == ".gguf":
        return _gguf(path.parent, gguf.shards_of(path.name))
    if path.suffix == ".bin":
        files = {path.name: hash_file(path)}
        specification, revision, tensors = ctranslate2.read(path)
        config = _config(path.parent, files) if (path.parent / "config.json").is_file() else {}
        config = {**config, "spec": specification, "spec_revision": revision}
        return Checkpoint(path=path, format="ctranslate2", tensors=tensors, config=config, files=files)
    raise BadInput(f"{path.name} is not a kind of weights that can be read.", hint=_ACCEPTED)


def _gguf(folder: Path, names: list[str]) -> Checkpoint:
    """A .gguf, or all its shards; the weights themselves are not read."""
    first = folder / names[0]
    count = (gguf.shard_of(first) or (1, 1))[1]
    absent = [name for name in names if not (folder / name).is_file()]
    if absent or len(names) != count:
        what = f"lacks {absent[0]}" if absent else f"holds {len(names)} .gguf files where {count} belong together"
        raise BadInput(f"{str(folder)!r} {what}.", hint="Give a .gguf by its name, or all its shards.")
    headers = [gguf.read(folder / name) for name in names]
    if count > 1 and {header.metadata.get("split.count") for header in headers} != {count}:
        raise BadInput(f"{first.name} and its neighbours are not the shards that their names promise.")
    files = {name: hash_file(folder / name) for name in names}
    return Checkpoint(path=first, format="gguf", tensors={}, config=headers[0].plain, files=files)


def _chain(folder: Path, names: list[str]) -> Checkpoint:
    """Several .tflite files, from which a model takes those it knows; their shapes may be dynamic."""
    for name in names:
        _check_tflite(folder / name, dynamic=True)
    return Checkpoint(folder, "tflites", {}, {}, {name: hash_file(folder / name) for name in names})


def _graphs(folder: Path, names: list[str]) -> Checkpoint:
    """Several .onnx files, from which a model takes those it knows."""
    outside = [name for name in names if onnx.open_file(folder / name).facts.external]
    if outside:
        raise BadInput(f"{outside[0]} has its weights in another file; of several .onnx each holds its own.")
    return Checkpoint(folder, "onnxes", {}, {}, {name: hash_file(folder / name) for name in names})


def _check_tflite(path: Path, dynamic: bool = False) -> None:
    """Read a .tflite to check it: runtimes follow its offsets unchecked."""
    if path.stat().st_size > _LARGEST_TFLITE:
        raise BadInput(f"{path.name} has {path.stat().st_size} bytes; a .tflite has at most 2 GiB.")
    tflite.read(path.read_bytes(), dynamic=dynamic)


def _hugging_face(
    folder: Path, form: str, names: list[str], read: Callable[[Path], dict[str, NDArray[Any]]]
) -> Checkpoint:
    files: dict[str, str] = {}
    config = _config(folder, files)
    tensors: dict[str, NDArray[Any]] = {}
    for name in names:
        files[name] = hash_file(folder / name)
        fresh = read(folder / name)
        if twice := tensors.keys() & fresh.keys():
            raise BadInput(f"the tensor {min(twice)} is in two files, one of them {name}.")
        tensors.update(fresh)
    return Checkpoint(path=folder, format=form, tensors=tensors, config=config, files=files)


def _read_shards(folder: Path) -> Checkpoint:
    where = read_table(folder / _INDEX).get("weight_map")
    if not isinstance(where, dict) or not where or not all(isinstance(name, str) for name in where.values()):
        raise BadInput(f"{_INDEX} has no weight_map.")
    names = sorted(set(where.values()))
    for name in names:
        if not name.endswith(".safetensors") or set(name) & set("/\\:\0") or not (folder / name).is_file():
            raise BadInput(f"{_INDEX} names the file {name!r}, which is not in its folder.")
    checkpoint = _hugging_face(folder, "safetensors", names, _safetensors)
    if different := checkpoint.tensors.keys() ^ where.keys():
        raise BadInput(f"{_INDEX} and its shards do not agree about the tensor {min(different)}.")
    return replace(checkpoint, files={**checkpoint.files, _INDEX: hash_file(folder / _INDEX)})


def _is_shard(path: Path) -> bool:
    return path.suffix == ".safetensors" and (path.parent / _INDEX).is_file()


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Name -> view of the mapped file, or float32 for bfloat16."""
    with need("export", "reading safetensors"):
        import safetensors

    try:
        # The library checks the whole header: sizes, dtypes, overlaps, gaps. What follows may then rely on it.
        with safetensors.safe_open(path, framework="numpy"):
            pass
    except safetensors.SafetensorError as exc:
        raise BadInput(f"{path.name} is not a sound safetensors file: {exc}.", hint="Fetch the file again.") from exc
    data = np.memmap(path, dtype=np.uint8, mode="r")
    length = int.from_bytes(data[:8].tobytes(), "little")
    header = parse_json(data[8 : 8 + length].tobytes(), f"the header of {path.name}")
    header.pop("__metadata__", None)
    return {name: _tensor(path, data, 8 + length, name, entry) for name, entry in header.items()}


def _tensor(path: Path, data: NDArray[Any], base: int, name: str, entry: Mapping[str, Any]) -> NDArray[Any]:
    kinds = {"F": "f", "I": "i", "U": "u"}
    kind = str(entry["dtype"])
    if kind == "BF16":
        dtype: np.dtype[Any] = np.dtype("<u2")
    elif kind == "BOOL":
        dtype = np.dtype(bool)
    elif kind[:1] in kinds and kind[1:] in ("8", "16", "32", "64") and kind != "F8":
        dtype = np.dtype(f"<{kinds[kind[0]]}{int(kind[1:]) // 8}")
    else:
        raise BadInput(f"the tensor {name} in {path.name} has the dtype {kind}, which is not supported.")
    begin, end = entry["data_offsets"]
    array = np.frombuffer(data, dtype, count=(end - begin) // dtype.itemsize, offset=base + begin)
    array = array.reshape(entry["shape"])
    return ctranslate2.decode_bfloat16(array) if kind == "BF16" else array


def _script(path: Path) -> Checkpoint:
    """An OpenAI model, or a bare state dict."""
    files = {path.name: hash_file(path)}
    content = _load_torch(path)
    if content and not any(isinstance(value, dict) for value in content.values()):
        return Checkpoint(path=path, format="pytorch", tensors=_to_numpy(path, content), config={}, files=files)
    if "dims" not in content and (nested := _flatten_state_dicts(content)):
        return Checkpoint(path=path, format="pytorch", tensors=_to_numpy(path, nested), config={}, files=files)
    dims, state = content.get("dims"), content.get("model_state_dict")
    if not isinstance(dims, dict) or not isinstance(state, dict):
        raise BadInput(f"{path.name} has no dims and model_state_dict: it is not an OpenAI model.", hint=_ACCEPTED)
    if not all(isinstance(name, str) and isinstance(value, int) for name, value in dims.items()):
        raise BadInput(f"{path.name} has dims that are not whole numbers.")
    return Checkpoint(path=path, format="openai", tensors=_to_numpy(path, state), config=dims, files=files)


def _flatten_state_dicts(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The tensors of state dicts inside a dict, as "KEY.NAME"; other data of training is ignored."""
    return {
        f"{key}.{name}": tensor
        for key, state in content.items()
        if isinstance(state, dict) and all(isinstance(tensor, torch.Tensor) for tensor in state.values())
        for name, tensor in state.items()
    }


def _pytorch(path: Path) -> dict[str, NDArray[Any]]:
    return _to_numpy(path, _load_torch(path))


def _load_torch(path: Path) -> dict[Any, Any]:
    """The dict in a PyTorch file, its storages mapped. Runs no code from the file: unpickling is restricted."""
    import zipfile

    with need("export", f"reading {path.name}"):
        import torch
    # Written by PyTorch 1.6 or later: a zip whose entries are stored as they are, so that no length in it can make us
    # allocate more than the file has. The older form is a row of pickles, which promise nothing of the kind unread.
    older = torch_pickles.is_older_form(path)
    try:
        if older:
            torch_pickles.check(path)
        else:
            with zipfile.ZipFile(path) as archive:
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    raise BadInput(f"{path.name} is compressed, which PyTorch's own files never are.")
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as exc:
        raise BadInput(f"{path.name} is not a PyTorch file.", hint=_ACCEPTED) from exc
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=not older)
    except Exception as exc:  # a hostile file can make the unpickler raise anything at all
        reason = (str(exc).splitlines() or [""])[0]
        raise BadInput(
            f"{path.name} was refused: it is damaged, or holds more than tensors ({type(exc).__name__}: {reason})."
        ) from exc
    if not isinstance(content, dict):
        raise BadInput(f"{path.name} holds a {type(content).__name__}, not a dictionary of tensors.", hint=_ACCEPTED)
    return content


def _to_numpy(path: Path, state: Mapping[Any, Any]) -> dict[str, NDArray[Any]]:
    size = path.stat().st_size
    tensors: dict[str, NDArray[Any]] = {}
    for name, tensor in state.items():
        # A stride of zero gives a tensor of any size out of a few bytes.
        plain = isinstance(name, str) and isinstance(tensor, torch.Tensor)
        if not plain or tensor.numel() * tensor.element_size() > size:
            raise BadInput(f"{path.name}: {name!r} is not a plain tensor.")
        tensor = tensor.detach()
        try:
            tensors[name] = (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
        except (TypeError, RuntimeError) as exc:  # sparse, quantized, without data, or of a dtype that numpy lacks
            raise BadInput(f"{path.name}: {name!r} of dtype {tensor.dtype} cannot be read: {exc}.") from exc
    return tensors


def _config(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise BadInput(f"there is no config.json beside the weights in {str(folder)!r}.", hint=_ACCEPTED)
    files[path.name] = hash_file(path)
    return read_table(path)

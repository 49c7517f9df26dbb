"""Models of transformers by folder or address: what is read, what is refused, and what is not loaded for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from helpers.hub.architectures import Architecture, write
from helpers.hub.site import publish
from helpers.pages.server import Site, serving

from edgekit.cli.command import run
from edgekit.core import Importer, ImportOptions, TensorSpec
from edgekit.errors import BadInput, CannotRun, EdgekitError, FetchFailed, Unsupported
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.common.declared import registry_name
from edgekit.importers.resolved import importer_of, model_of
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import web

Networks = Callable[[str], Path]


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def importer() -> Importer:
    return find("importers", "hub")


@pytest.fixture
def copy(network: Networks, tmp_path: Path) -> Path:
    """A folder of its own, to break."""
    return Path(shutil.copytree(network("MiniLM"), tmp_path / "mini"))


def edit(folder: Path, name: str, **settings: Any) -> None:
    path = folder / name
    stated = json.loads(path.read_text("utf-8")) | settings
    path.write_text(json.dumps({key: value for key, value in stated.items() if value is not None}), "utf-8")


def refused(source: str, **options: Any) -> EdgekitError:
    with pytest.raises(EdgekitError) as failure:
        model = model_of(source, ImportOptions(**options))
        for part in model.network.parts:
            assert part.build is not None
            part.build(read_checkpoint(Path(source)))
    return failure.value


def test_a_folder_is_described_without_its_weights(importer: Importer, network: Networks) -> None:
    described = importer.inspect(str(network("BERT")), ImportOptions(), silent)
    assert (described.architecture, described.tasks) == ("BertForSequenceClassification", ("text-classification",))
    names = [spec.name for spec in described.inputs]
    assert names == ["input_ids", "attention_mask", "token_type_ids"]
    assert described.outputs == (TensorSpec("logits", "float32", (1, 4)),)
    tensors = safetensors.numpy.load_file(network("BERT") / "model.safetensors")
    assert described.parameters == sum(array.size for array in tensors.values())


def test_what_is_declared_is_what_was_described(importer: Importer, network: Networks) -> None:
    for name in ("BERT", "MiniLM", "ViT", "Wav2Vec2-CTC", "AST"):
        described = importer.inspect(str(network(name)), ImportOptions(), silent)
        model = importer.model(str(network(name)), ImportOptions(), silent)
        parts = model.network.parts
        assert described.inputs == tuple(spec for part in parts for spec in part.inputs), name
        assert described.outputs == tuple(spec for part in parts for spec in part.outputs), name
        tensors = safetensors.numpy.load_file(network(name) / "model.safetensors")
        assert model.network.parameters <= sum(array.size for array in tensors.values())


def test_several_tasks_are_listed_and_none_is_guessed(importer: Importer, network: Networks) -> None:
    clip = str(network("CLIP"))
    described = importer.inspect(clip, ImportOptions(), silent)
    assert described.tasks == ("image-feature-extraction", "feature-extraction")
    assert any("--task" in note for note in described.notes)
    failure = refused(clip)
    assert failure.exit_code == 2
    assert "image-feature-extraction, feature-extraction" in failure.message
    assert "--task" in failure.hint
    assert model_of(clip, ImportOptions(task="feature-extraction")).task.name == "feature-extraction"


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("SegFormer", "", "fits no task"),
        ("SegFormer", "image-classification", "does not fit the task image-classification"),
        ("ViT", "fill-mask", "does not fit the task fill-mask"),
        ("ViT", "nonsense", "does not fit the task nonsense"),
    ],
)
def test_a_task_that_does_not_fit(network: Networks, name: str, task: str, message: str) -> None:
    failure = refused(str(network(name)), task=task)
    assert message in failure.message
    assert "tensors" in failure.hint


def test_how_a_sentence_becomes_a_vector_is_not_guessed(copy: Path) -> None:
    (copy / "modules.json").unlink()
    assert "--task feature-extraction" in refused(str(copy)).hint
    assert find("importers", "hub").inspect(str(copy), ImportOptions(), silent).tasks == (
        "feature-extraction",
        "tensors",
    )
    assert "mean over its tokens" in " ".join(
        find("importers", "hub").inspect(str(copy), ImportOptions(task="feature-extraction"), silent).notes
    )


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"auto_map": {"AutoModel": "modeling_own.Own"}}, BadInput, "code of its own"),
        ({"model_type": "nobody-knows"}, Unsupported, "no model_type 'nobody-knows'"),
        ({"model_type": None}, Unsupported, "names no model_type"),
        ({"hidden_size": 97}, BadInput, "cannot build BertModel"),
        ({"hidden_size": "big"}, BadInput, "Field 'hidden_size' expected int, got str"),
        ({"hidden_size": 192}, BadInput, "another shape for"),
        ({"num_hidden_layers": 4}, BadInput, "weights lack encoder.layer.3.attention"),
        ({"num_hidden_layers": 2}, BadInput, "weights hold encoder.layer.2.attention"),
        ({"num_hidden_layers": 10_000_000}, BadInput, "more than 1000 layers"),
        ({"text_config": {"num_hidden_layers": 10_000_000}}, BadInput, "more than 1000 layers"),
        ({"architectures": ["NoSuchModel"]}, Unsupported, "fits no task"),
    ],
)
def test_settings_that_cannot_be_used(
    copy: Path, settings: dict[str, Any], error: type[EdgekitError], message: str
) -> None:
    edit(copy, "config.json", **settings)
    if "architectures" in settings:
        (copy / "modules.json").unlink()
    failure = refused(str(copy))
    assert isinstance(failure, error)
    assert message in failure.message
    assert failure.hint or "cannot build" in message


def test_folders_that_are_no_model(copy: Path, tmp_path: Path) -> None:
    (copy / "config.json").write_text("{", "utf-8")
    assert "not JSON" in refused(str(copy)).message
    (copy / "config.json").write_text("[]", "utf-8")
    assert "not a table" in refused(str(copy)).message
    (copy / "config.json").unlink()
    assert "no config.json" in refused(str(copy)).message
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no config.json" in refused(str(empty)).message
    (empty / "manifest.json").write_text("{}")
    bundle = refused(str(empty))
    assert "is a bundle" in bundle.message and f"edgekit verify {empty}" in bundle.hint


def test_pickles_are_not_opened(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    failure = refused(str(copy))
    assert "pytorch_model.bin only, which can run code" in failure.message
    assert "save_pretrained" in failure.hint


def test_a_damaged_header(importer: Importer, copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(BadInput, match="not a sound safetensors"):
        importer.inspect(str(copy), ImportOptions(), silent)


def test_missing_tensors_are_named(copy: Path) -> None:
    tensors = safetensors.numpy.load_file(copy / "model.safetensors")
    del tensors["encoder.layer.0.output.dense.weight"]
    safetensors.numpy.save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    assert "encoder.layer.0.output.dense.weight" in refused(str(copy)).message


def test_weights_that_a_head_shares_need_not_be_there_twice(network: Networks) -> None:
    folder = network("RoBERTa")
    assert not any("decoder.weight" in name for name in safetensors.numpy.load_file(folder / "model.safetensors"))
    model = model_of(str(folder))
    part = model.network.parts[0]
    assert part.build is not None
    assert part.build(read_checkpoint(folder)) is not None


def test_axes(network: Networks) -> None:
    folder = str(network("MiniLM"))
    axis = model_of(folder, ImportOptions(axes={"tokens": (4, 64)})).network.parts[0].axes["tokens"]
    assert (axis.least, axis.most) == (4, 64)
    assert "'tokens'" in refused(folder, axes={"words": (1, 8)}).message
    assert "cannot go from 9 to 3" in refused(folder, axes={"tokens": (9, 3)}).message
    assert "it has none" in refused(str(network("ViT")), axes={"batch": (1, 8)}).message


def test_a_format_without_dynamic_axes_gets_a_fixed_number_of_tokens(network: Networks) -> None:
    model = model_of(str(network("MiniLM")))
    assert model.network.parts[0].inputs[0].shape == (1, "tokens")
    assert model.network.variants["planned axes"].network.parts[0].inputs[0].shape == (1, 96)
    (free,) = model.network.variants["one axis"].network.parts
    assert free.inputs[0].shape == (1, "tokens") and {*free.axes["tokens"].padded} >= {"input_ids", "attention_mask"}


def test_the_second_time_loads_no_torch(network: Networks) -> None:
    folder = str(network("ViT"))
    model_of(folder)
    code = (
        "import sys; from edgekit.importers.resolved import model_of; from edgekit.core import Recipe;"
        f"model = model_of({folder!r}); model.costs.size(Recipe('onnxruntime', 'int8'));"
        "print([name for name in ('torch', 'transformers', 'onnx', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "option"), [("SegFormer", " --task tensors"), ("DistilBERT", "")])
def test_the_next_command_of_inspect_works(
    network: Networks, name: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = network(name)
    assert run(["inspect", str(source)]) == 0
    assert f"next: edgekit fit {source}{option}, or edgekit export {source}{option} --target" in capsys.readouterr().out
    assert run(["fit", str(source), *option.split(), "--target", "laptop"]) == 0


def test_inspect_loads_no_torch(network: Networks) -> None:
    code = (
        "import sys; from edgekit.registry import find; from edgekit.core import ImportOptions;"
        f"find('importers', 'hub').inspect({str(network('BERT'))!r}, ImportOptions(), print);"
        "print([name for name in ('torch', 'transformers', 'onnx', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """A hub on this machine, and an empty cache."""
    monkeypatch.setattr(web, "WAIT", 0.0)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    for name in ("EDGEKIT_OFFLINE", "EDGEKIT_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    with serving(Site()) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        yield site


def test_an_address_is_declared_before_its_weights_are_fetched(
    site: Site, network: Networks, importer: Importer
) -> None:
    publish(site, network("MiniLM"))
    assert importer_of("hf://o/r") is importer
    described = importer.inspect("hf://o/r", ImportOptions(), silent)
    assert (described.architecture, described.licence) == ("BertModel", "mit")
    assert described.parameters == importer.inspect(str(network("MiniLM")), ImportOptions(), silent).parameters
    model = importer.model("hf://o/r", ImportOptions(), silent)
    assert (model.name, model.weights.hub, model.identity.licence) == ("r", "hf://o/r", "mit")
    ranges = [headers.get("Range") for path, headers in site.requests if path.endswith("model.safetensors")]
    assert ranges and all(str(asked).startswith("bytes=0-") for asked in ranges)
    asked = len(site.requests)
    again = importer.model("hf://o/r", ImportOptions(offline=True), silent)
    assert again.network.parameters == model.network.parameters
    assert len(site.requests) == asked


@pytest.mark.parametrize(
    ("file", "status", "message"),
    [("/api/models/o/r", 401, "hf auth login"), ("config.json", 403, "hf auth login")],
)
def test_a_gated_repository(
    site: Site, network: Networks, importer: Importer, file: str, status: int, message: str
) -> None:
    publish(site, network("MiniLM"))
    for path in list(site.files):
        if path.endswith(file):
            site.status[path] = status
    with pytest.raises(FetchFailed, match=message):
        importer.inspect("hf://o/r", ImportOptions(), silent)


def test_a_repository_of_pickles(site: Site, network: Networks, importer: Importer, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(network("MiniLM"), tmp_path / "pickles"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    publish(site, folder)
    with pytest.raises(BadInput, match=r"pytorch_model\.bin only"):
        importer.inspect("hf://o/r", ImportOptions(), silent)


def test_noise_of_a_network_without_a_task_is_the_same_at_every_call(network: Networks) -> None:
    model = model_of(str(network("YOLOS")), ImportOptions(task="tensors"))
    assert model.task.evidence is not None
    assert model.task.evidence.synthetic
    with np.load(model.task.golden) as golden:
        assert golden["pixel_values"].shape == (1, 3, 64, 96)
        first = model.task.evidence.samples(Path())[0].input
        np.testing.assert_array_equal(golden["pixel_values"], first["pixel_values"])


def test_a_user_s_choice_decides(network: Networks) -> None:
    options = ImportOptions(task="tensors")
    model = model_of(str(network("MiniLM")), options)
    assert [spec.name for spec in model.network.parts[0].outputs] == ["last_hidden_state", "pooler_output"]
    dynamic = model_of(str(network("MiniLM")), replace(options, axes={"tokens": (2, 64)}))
    assert dynamic.network.parts[0].outputs[0].shape == (1, "tokens", 96)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("hf://ORG/My_Model@main", "my-model"),
        ("some/folder/", "folder"),
        ("nets/9 naïve net.py:build", "9-naive-net"),
        ("網.onnx", "model"),
    ],
)
def test_names_of_sources(source: str, name: str) -> None:
    assert registry_name(source) == name


@pytest.mark.parametrize("task", ["feature-extraction", "tensors"])
@pytest.mark.parametrize(
    ("built", "fits"), [("BertModel", 64), ("CamembertModel", 62), ("MPNetModel", 62), ("XLMRobertaModel", 62)]
)
def test_as_many_tokens_as_have_a_position(built: str, fits: int, task: str, tmp_path: Path) -> None:
    """RoBERTa and its kin count from behind the padding token's position. One more is refused, without a traceback."""
    settings = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    settings |= {"vocab_size": 512, "max_position_embeddings": 64, "pad_token_id": 1 if fits == 62 else 0}
    write(Architecture(built, built, settings, (task,), tokens=True), tmp_path)
    options = ImportOptions(task=task, axes={"tokens": (2, fits)})
    [part] = model_of(str(tmp_path), options, silent).network.parts
    assert part.axes["tokens"].most == fits
    assert part.build is not None
    runner = reference_of(part, part.build(read_checkpoint(tmp_path)))
    feeds = {spec.name: np.full((1, fits), 5, np.int64) for spec in part.inputs}
    assert all(np.isfinite(value).all() for value in runner(feeds).values())
    with pytest.raises(CannotRun):
        runner({name: np.full((1, fits + 1), 5, np.int64) for name in feeds})

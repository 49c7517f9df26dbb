"""A .pt2 written anew from its checked parts, which torch may load: no pickle, no signature but a flat one."""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
from typing import Any

from edgekit.common.lazy import torch
from edgekit.core import Json
from edgekit.errors import BadInput
from edgekit.formats.pt2.archive import Payload, sound
from edgekit.formats.pt2.program import Program

#: Steps that only check what they are called with.
_CHECK = re.compile(r"_assert|sym_constrain_range")
#: Steps that write into a part of a tensor; translators to other formats know them as steps that make another.
_WRITTEN = frozenset({"copy_", "fill_", "index_put_", "masked_fill_", "index_copy_", "scatter_", "zero_"})
#: Regions that set a mode around a graph inside.
_REGION = re.compile(r"wrap_with_(set_grad_enabled|autocast)")


def rewritten(program: Program) -> bytes:
    """The bytes of a clean .pt2 of the same computation: flat tensors in, a flat tuple out."""
    held = program.archive
    content: dict[str, Any] = json.loads(json.dumps(program.content))
    inputs, outputs = len(program.inputs) + len(program.constants), len(_outputs(program))
    signature: dict[str, Any] = {
        "inputs": [],
        "outputs": [],
        "in_spec": _tree(_tuple(_tuple(*[_LEAF] * inputs), _node("builtins.dict", "[]"))),
        "out_spec": _tree(_tuple(*[_LEAF] * outputs)),
        "forward_arg_names": None,
    }
    content["graph_module"]["module_call_graph"] = [{"fqn": "", "signature": signature}]
    content["graph_module"] |= {"metadata": {}, "treespec_namedtuple_fields": {}}
    target = io.BytesIO()
    with sound(held.path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:

        def write(name: str, data: bytes) -> None:
            file.writestr(zipfile.ZipInfo(f"model/{name}"), data)

        write("archive_format", b"pt2")
        write("archive_version", held.version.encode())
        write("byteorder", b"little")
        write(".data/version", b"6\n")
        write("models/model.json", json.dumps(content).encode())
        write("data/sample_inputs/model.pt", b"")
        for folder, payloads in (("weights", held.weights), ("constants", held.constants)):
            config = {name: _entry(payload) for name, payload in payloads.items()}
            write(f"data/{folder}/model_{folder}_config.json", json.dumps({"config": config}).encode())
            for member in {payload.member for payload in payloads.values()}:
                write(member, source.read(f"{held.root}/{member}"))
    return target.getvalue()


def module_of(program: Program) -> Any:
    """The program as a torch module: the tensors of `Program.inputs` in, a tuple of `Program.outputs` out.

    Raises:
        BadInput: torch cannot load it.
    """
    try:
        exported = torch.export.load(io.BytesIO(rewritten(program)))
        if _WRITTEN & program.operators.keys():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # torch warns of its own use of trees
                exported = exported.run_decompositions({})
        return _plain(exported.module(check_guards=False), program)
    except Exception as exc:  # torch raises many types for a program that it cannot rebuild
        reason = next((line for line in reversed(str(exc).splitlines()) if line.strip()), type(exc).__name__)
        raise BadInput(
            f"torch {torch.__version__} cannot load {program.path.name}, which torch {program.torch_version} wrote: "
            f"{reason}.",
            hint="Save it again with the torch that edgekit uses.",
        ) from exc


def _plain(module: Any, program: Program) -> Any:
    """`module` without torch.export's hooks, checks and trees of arguments, which other tracers cannot follow, and
    without the inputs and outputs that are no tensors."""
    graph = module.graph
    graph.set_codegen(torch.fx.graph.CodeGen())
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    (end,) = (node for node in graph.nodes if node.op == "output")
    results = end.args[0] if isinstance(end.args[0], tuple | list) else (end.args[0],)
    end.args = (tuple(results[i] for i in program.results),)
    for node in list(graph.nodes):
        if node.op == "call_function" and not node.users and _CHECK.search(str(node.target)):
            graph.erase_node(node)
        elif _REGION.search(str(node.target)):
            _open(graph, node)
        elif str(node.target) == "aten.alias.default":  # the same tensor by another name
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
        elif str(node.target) == "aten.fill.Tensor":
            _lower_fill(graph, node)
    graph.eliminate_dead_code()
    for place in program.constants:
        graph.erase_node(inputs[place])
    plain = torch.fx.GraphModule(module, graph)
    return plain.requires_grad_(False).eval()


def _open(graph: Any, node: Any) -> None:
    """Call the graph inside a region without gradients, or without autocast, as what it is: a module."""
    inner = next(i for i, argument in enumerate(node.args) if getattr(argument, "op", "") == "get_attr")
    if "autocast" in str(node.target) and node.args[2] and node.args[0] == "cpu":
        raise ValueError("it computes in lower precision by itself (autocast)")
    with graph.inserting_before(node):
        call = graph.call_module(node.args[inner].target, tuple(node.args[inner + 1 :]))
    node.replace_all_uses_with(call)
    graph.erase_node(node)


def _lower_fill(graph: Any, node: Any) -> None:
    """Fill with a number that is computed: ones times the number, which other tracers know."""
    with graph.inserting_before(node):
        ones = graph.call_function(torch.ops.aten.ones_like.default, (node.args[0],))
        filled = graph.call_function(torch.ops.aten.mul.Tensor, (ones, node.args[1]))
    node.replace_all_uses_with(filled)
    graph.erase_node(node)


def _outputs(program: Program) -> list[Any]:
    outputs: list[Any] = program.content["graph_module"]["signature"]["output_specs"]
    return outputs


def _entry(payload: Payload) -> dict[str, Any]:
    meta = {
        "dtype": payload.dtype,
        "sizes": [{"as_int": size} for size in payload.sizes],
        "requires_grad": False,
        "device": {"type": "cpu", "index": None},
        "strides": [{"as_int": stride} for stride in payload.strides],
        "storage_offset": {"as_int": payload.offset},
        "layout": 7,
    }
    name = payload.member.rpartition("/")[2]
    return {"path_name": name, "is_param": payload.is_parameter, "use_pickle": False, "tensor_meta": meta}


_LEAF: dict[str, Json] = {"type": None, "context": None, "children_spec": []}


def _node(kind: str, context: str, *children: Any) -> dict[str, Json]:
    return {"type": kind, "context": context, "children_spec": list(children)}


def _tuple(*children: Any) -> dict[str, Json]:
    return _node("builtins.tuple", "null", *children)


def _tree(root: Any) -> str:
    return json.dumps([1, root])

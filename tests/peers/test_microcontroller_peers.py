"""The issue's bars for firmware: four models on five emulated processors, beside bakenn. Half an hour.

Small checks of the harness itself are here too; they need no emulator, no other tool and no weights.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import _firmware_page as page  # noqa: E402
import compare_microcontroller as compare  # noqa: E402
from _firmware_figures import Bar, Keywords, Program, Subject, bars  # noqa: E402
from _firmware_inputs import Inputs, evenly  # noqa: E402
from _firmware_tflite import without_softmax  # noqa: E402
from helpers.cases.tflite_models import Builder, schema  # noqa: E402

from edgekit.errors import MissingExtra  # noqa: E402
from edgekit.formats.tflite import reader  # noqa: E402

M4, M55 = "cortex-m4", "cortex-m55"


@pytest.fixture(scope="module")
def outcome() -> compare.Outcome:
    plan = compare.Plan()
    if not plan.models.is_dir():
        pytest.skip("the models are not on this machine")
    if not plan.python.is_file():
        pytest.skip("bakenn is not installed; run: make firmware-figures")
    try:
        return compare.compare(plan)
    except MissingExtra as exc:
        pytest.skip(str(exc))


@pytest.mark.peers
@pytest.mark.timeout(4 * 3600)
def test_every_bar_is_met(outcome: compare.Outcome) -> None:
    missed = [bar for bar in outcome.bars if bar.verdict != "met"]
    assert not missed, f"{missed}\n{outcome.markdown}"


@pytest.mark.peers
@pytest.mark.timeout(4 * 3600)
def test_the_peer_computes_the_right_thing_and_takes_more_instructions(outcome: compare.Outcome) -> None:
    for subject in outcome.raw["models"]:
        for processor, paths in subject["peers"].items():
            for path, programs in paths.items():
                for program in programs:
                    where = f"{subject['name']}, {path}, {processor}, {program['flag']}"
                    assert not program["fault"], where
                    assert subject["ours"][processor]["instructions"] < program["instructions"], where


def program(instructions: int = 5_000_000, fault: str = "", checked: int = 50) -> Program:
    return Program(instructions, code=6_000, constants=28_000, ram=16_000, stack=400, checked=checked, fault=fault)


def keywords(**given: object) -> Subject:
    """A subject named KWS that meets every bar on the M4, but for what is given."""
    facts = {"random": 1_000, "real": 300, "every_real": True, "host": {"dsp": 0}, "ours": {M4: program()}}
    return Subject("KWS", **{**facts, **given})  # type: ignore[arg-type]


def verdicts(subject: Subject, processors: tuple[str, ...] = (M4,)) -> dict[str, str]:
    return {bar.what: bar.verdict for bar in bars([subject], Keywords(300, 0.9), processors)}


def test_all_bars_of_a_good_subject_are_met() -> None:
    assert set(verdicts(keywords()).values()) == {"met"}


def test_a_bar_counts_only_on_as_many_inputs_as_it_asks_for() -> None:
    assert verdicts(keywords(random=999))["KWS, mismatches on the host"] == "not measured"
    assert verdicts(keywords(every_real=False))["KWS, mismatches on the host"] == "not measured"
    few = verdicts(keywords(ours={M4: program(checked=49)}))
    assert few["KWS, processors that differ in the emulator"] == "not measured"


def test_a_difference_is_a_miss_however_few_inputs_were_compared() -> None:
    differing = program(fault="1 of 4 differ", checked=0)
    found = verdicts(keywords(ours={M4: differing}, host={"plain": 0, "dsp": 1}, random=20))
    assert found["KWS, processors that differ in the emulator"] == "missed"
    assert found["KWS, mismatches on the host"] == "missed"


def test_what_was_not_run_is_not_measured() -> None:
    found = verdicts(keywords(), (M4, M55))
    assert found["instructions, KWS, cortex-m55"] == "not measured"
    assert found["KWS, processors that differ in the emulator"] == "not measured"


def test_the_best_peer_computes_the_right_thing() -> None:
    built = {"portable": [program(9)], "cmsis-nn": [program(5, fault="differs"), program(7)]}
    subject = keywords(peers={M4: built})
    assert subject.best_peer(M4) == program(7)
    assert subject.best_peer(M4, "portable") == program(9)
    assert subject.best_peer(M55) is None
    small = Program(20, code=10, constants=0, ram=0, stack=0)
    subject = keywords(peers={M4: {"portable": [program(9), small]}})
    assert (subject.best_peer(M4), subject.smallest_peer(M4)) == (program(9), small)


def test_the_page_says_what_is_quoted_and_what_was_not_measured() -> None:
    subject = keywords(peers={M4: {"portable": [program(10_000_000)]}}, absent={page.key(M4, "cmsis-nn"): "no such"})
    demands = [Bar("instructions, KWS, cortex-m4", 6.0, 5.0, "M")]
    tables = page.tables([subject], demands, (M4,))
    text = page.markdown(tables, [subject], None, {"command": "it", "repeats": 3, "versions": {"gcc": "14"}})
    assert "| instructions, KWS, cortex-m4 | 6.000 M | 5.000 M | met |" in text
    assert "| cortex-m4 | KWS | 5.000 | 10.000 |  | not measured | 0.500 | 7.700 | 0.649 |" in text
    assert "KWS, bakenn + CMSIS-NN 4.0 on cortex-m4: not measured: no such" in text
    assert "(quoted)" in text
    assert "multiply-accumulates" not in text


def test_the_page_says_how_much_is_not_computed_at_all() -> None:
    (note,) = page.notes([keywords(macs=2_000_000, computed=1_500_000)])
    assert "KWS: edgekit computes 1.500 of 2.000 million multiply-accumulates" in note


def test_half_of_the_vectors_are_real_where_there_are_real_ones() -> None:
    real, random = [np.full(1, i) for i in range(100, 110)], [np.full(1, i) for i in range(90)]
    values = [int(value[0]) for value, _ in Inputs(random, real, random, real).mixed(8)]
    assert values == [100, 102, 105, 107, 0, 22, 45, 67]
    assert len(Inputs(random, [], random, []).mixed(8)) == 8
    assert evenly([1, 2], 5) == [1, 2]


def test_a_copy_without_softmax_has_options_and_ends_before_it(tmp_path: Path) -> None:
    builder = Builder()
    x, y, z = (builder.tensor(shape) for shape in ((1, 1, 4), (1, 4), (1, 4)))
    builder.graph.tensors[x].shapeSignature = np.array([-1, 1, 4], np.int32)
    builder.add("RESHAPE", [x, builder.constant(np.array([-1, 4], np.int32))], [y])
    builder.add("SOFTMAX", [y], [z], schema.SoftmaxOptionsT())
    source, out = tmp_path / "source.tflite", tmp_path / "out.tflite"
    source.write_bytes(builder.finish([x], [z]))
    assert without_softmax(source, out)
    graph = reader.read(out.read_bytes()).subgraphs[0]
    assert [operator.name for operator in graph.operators] == ["RESHAPE"]
    assert graph.outputs == (y,)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(out.read_bytes(), 0))
    assert list(model.subgraphs[0].operators[0].builtinOptions.newShape) == [1, 4]
    assert model.subgraphs[0].tensors[x].shapeSignature is None
    assert not without_softmax(out, tmp_path / "again.tflite")

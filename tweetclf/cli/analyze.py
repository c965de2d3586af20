"""Look into a pretrained model: what it foretells, what its heads and vectors do.

MODEL is a Hugging Face directory with its tokenizer. On texts: pseudo-log-likelihood,
ranks of hidden words, redundancy of attention heads, attention of those that differ
most, and maps of token classes; on (post, reply) pairs, for models with a head for
them: reply order and topic coherence; of metrics.jsonl: curves of the pre-training. A
random part of the texts is read, and the report says how many. What a model has no
head for is left out, and the report says so.

examples:
  tweetclf analyze models/twilbert --report analysis.html
  tweetclf analyze A --compare B --texts tweets.jsonl.gz --pairs conversations \
    --metrics A/metrics.jsonl --report ab.html
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tweetclf.analysis.naming import ANALYSES
from tweetclf.cli._data import add_reading_arguments, seed
from tweetclf.cli._output import UsageError, note
from tweetclf.cli._running import positive

if TYPE_CHECKING:
    from tweetclf.analysis import ModelAnalysis

__all__ = ["add_arguments", "run"]

# Of a larger corpus its first rows are read, and the sample is drawn from them.
MOST_ROWS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf analyze``."""
    parser.add_argument("model", metavar="MODEL", help="directory of the model")
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="MODEL",
        help="another model, analysed on the same texts; may be repeated",
    )
    parser.add_argument(
        "--report", required=True, metavar="FILE", help="page to write, e.g. out.html"
    )
    _add_data(parser.add_argument_group("what it is analysed on"))
    how = parser.add_argument_group("how")
    how.add_argument(
        "--only",
        action="append",
        choices=ANALYSES,
        help="only this analysis; may be repeated",
    )
    how.add_argument(
        "--divisor",
        choices=("tokens", "with_special"),
        default="tokens",
        help="what a text's log-likelihood is divided by: its tokens, or, as the code "
        "of TWilBERT has it, those that the tokenizer adds, too (tokens)",
    )
    how.add_argument(
        "--max-length", type=positive, default=128, metavar="N", help="(128)"
    )
    how.add_argument("--seed", type=seed, default=0, metavar="N", help="seed (0)")
    how.add_argument(
        "--device", default="auto", metavar="NAME", help="cpu, cuda, ... (auto)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _add_data(data: Any) -> None:
    data.add_argument(
        "--texts",
        metavar="FILE|NAME",
        help="a CSV, TSV or JSON Lines file, one text a line, or a registered corpus "
        "(the bundled sample)",
    )
    data.add_argument(
        "--pairs", metavar="FILE|NAME", help="posts with replies: a file or a corpus"
    )
    data.add_argument(
        "--metrics",
        action="append",
        default=[],
        metavar="FILE",
        help="metrics.jsonl of a pre-training; may be repeated (those beside the "
        "models)",
    )
    data.add_argument("--text", metavar="COLUMN", help="column of the texts")
    data.add_argument("--text-b", metavar="COLUMN", help="column of the replies")
    data.add_argument(
        "--n-texts", type=positive, default=200, metavar="N", help="texts read (200)"
    )
    data.add_argument(
        "--n-pairs", type=positive, default=500, metavar="N", help="pairs read (500)"
    )
    add_reading_arguments(data)
    data.add_argument("--data-dir", metavar="DIR", help="folder of the public datasets")


def run(args: argparse.Namespace) -> int:
    """Analyse, and write the page with its numbers beside it."""
    from pathlib import Path

    from tweetclf.cli._output import print_json, warnings_as_notes
    from tweetclf.cli._tables import check_folder
    from tweetclf.utils.optional import import_optional

    if Path(args.report).suffix.lower() != ".html":
        raise UsageError("--report must be the name of a page, as out.html")
    if args.text_b and not args.pairs:
        raise UsageError("--text-b needs --pairs")
    if args.only and "coherence" in args.only and not args.pairs:
        raise UsageError("coherence needs --pairs")
    check_folder("--report", args.report, report=True)
    import_optional("torch", extra="neural", caller="tweetclf analyze")
    from tweetclf.analysis import make_analysis_report
    from tweetclf.reports import render, write_report

    with warnings_as_notes():
        found = _analyse(args)
    report = make_analysis_report(found)
    paths = write_report(report, args.report, formats=("html", "json"))
    if args.json:
        import json

        print_json(json.loads(render(report, "json")))
        return 0
    _say(found)
    print(*paths, sep="\n")
    return 0


def _analyse(args: argparse.Namespace) -> ModelAnalysis:
    from pathlib import Path

    from tweetclf.analysis import analyse_models, read_metrics

    texts, said = _texts(args)
    facts = [("texts", said), ("seed", str(args.seed))]
    pairs = None
    if args.pairs:
        pairs, said = _pairs(args)
        facts.insert(1, ("pairs", said))
    models = [args.model, *args.compare]
    metrics = args.metrics
    if not metrics:
        written = [Path(model, "metrics.jsonl") for model in models]
        metrics = [path for path in written if path.is_file()]
    return analyse_models(
        models,
        texts,
        pairs=pairs,
        runs=[read_metrics(path) for path in metrics],
        kinds=args.only or ANALYSES,
        divisor=args.divisor,
        max_length=args.max_length,
        random_state=args.seed,
        device=args.device,
        facts=facts,
        on_step=note,
    )


def _texts(args: argparse.Namespace) -> tuple[list[Any], str]:
    """Return some texts, and what to say of them."""
    from tweetclf.tasks import load_task

    if args.texts is None:
        sample = load_task("sample-sentiment")
        rows = [t for split in sample.splits.values() for t in split.texts]
        return _some(rows, args.n_texts, args.seed, "the bundled sample")
    stream = _column(args, args.texts, args.text)
    # Of a corpus of pairs both sides are texts.
    flat = (text for row in stream for text in ([row] if isinstance(row, str) else row))
    return _some(_filled(flat), args.n_texts, args.seed, _name(args.texts))


def _pairs(args: argparse.Namespace) -> tuple[list[Any], str]:
    """Return some pairs, and what to say of them."""
    from itertools import islice

    from tweetclf.exceptions import DataError

    rows: list[Any] = list(islice(_column(args, args.pairs, args.text), MOST_ROWS))
    if rows and isinstance(rows[0], str):
        second = _column(args, args.pairs, args.text_b or "text_b")
        rows = list(zip(rows, islice(second, MOST_ROWS), strict=True))
    rows = [pair for pair in rows if pair[0].strip() and pair[1].strip()]
    if len(rows) < 2:
        raise DataError(f"--pairs {args.pairs} has {len(rows)} pairs; two are needed.")
    return _some(rows, args.n_pairs, args.seed, _name(args.pairs))


def _column(args: argparse.Namespace, name: str, column: str | None) -> Iterator[Any]:
    from tweetclf.tasks.corpora import stream_corpus

    return stream_corpus(
        name,
        data_dir=args.data_dir,
        text=column,
        encoding=args.encoding,
        quoted=not args.no_quotes,
    )


def _filled(texts: Iterator[str]) -> list[str]:
    """Return different texts of the first rows, empty ones left out."""
    from itertools import islice

    return list(
        dict.fromkeys(text for text in islice(texts, MOST_ROWS) if text.strip())
    )


def _some(rows: list[Any], n: int, seed: int, name: str) -> tuple[list[Any], str]:
    from tweetclf.exceptions import DataError
    from tweetclf.utils.random import stream

    if not rows:
        raise DataError(f"{name} holds no texts.")
    chosen = sorted(stream(seed, "analysed texts").permutation(len(rows))[:n].tolist())
    cut = f" (of the first {MOST_ROWS:,} rows)" if len(rows) >= MOST_ROWS else ""
    said = f"{len(chosen):,} of {len(rows):,} of {name}, drawn at random{cut}"
    return [rows[i] for i in chosen], said


def _name(path: str) -> str:
    from pathlib import Path

    return Path(path).name


def _say(found: ModelAnalysis) -> None:
    """Print the numbers that matter most."""
    for name, value in found.facts:
        print(f"{name}: {value}")
    for one in found.likelihoods:
        print(
            f"{one.model}: pseudo-log-likelihood {one.mean:.4f} "
            f"[{one.low:.4f}, {one.high:.4f}]"
        )
    for pair in found.coherence:
        print(
            f"{pair.model}: {pair.name} coherence {pair.accuracy:.3f} "
            f"[{pair.low:.3f}, {pair.high:.3f}]"
        )
    if found.top_k is not None:
        for model, scores in zip(found.top_k.models, found.top_k.accuracy, strict=True):
            shown = ", ".join(
                f"{k}: {score:.3f}"
                for k, score in zip(found.top_k.ks, scores.tolist(), strict=True)
            )
            print(f"{model}: hidden words among the K best, {shown}")
    for heads in found.redundancy:
        print(f"{heads.model}: mean divergence of heads {heads.mean:.4f}")
    for reason in found.left_out:
        note(f"left out: {reason}")

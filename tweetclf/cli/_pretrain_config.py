r"""Pre-train an encoder as a configuration says: corpus, tokenizer, tokens, model.

CONFIG is a TOML file, or the name of one that comes with tweetclf: tiny (minutes on a
CPU, on the bundled sample or on files of your own), twilbert-base, twilbert-large. Each
stage writes a folder; those that are up to date are not made again, and a run that is
interrupted or killed goes on where it was when it is started again. Several GPUs or
processes train together under torchrun.

examples:
  tweetclf pretrain tiny
  tweetclf pretrain tiny --texts tweets.txt --out small
  tweetclf pretrain my-model.toml --dry-run
  tweetclf pretrain my-model.toml --only corpus
  torchrun --nproc-per-node 4 -m tweetclf pretrain twilbert-base --pairs pairs.jsonl
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import humanise_bytes, note, print_json, print_table

if TYPE_CHECKING:
    from tweetclf.pretraining.pipeline import PretrainingPipeline

__all__ = ["add_arguments", "run"]

_STAGES = ("corpus", "tokenizer", "tokens", "model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf pretrain CONFIG``."""
    parser.add_argument("config", metavar="CONFIG", help="a .toml file, or a name")
    parser.add_argument(
        "--pairs",
        action="append",
        default=[],
        metavar="FILE|NAME",
        help="pairs to learn from, in columns text and text_b, in place of the "
        "configuration's; may be given several times",
    )
    parser.add_argument(
        "--texts",
        action="append",
        default=[],
        metavar="FILE|NAME",
        help="texts to learn from, likewise",
    )
    parser.add_argument("--out", metavar="DIR", help="folder of all stages")
    parser.add_argument("--only", choices=_STAGES, help="make this stage alone")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan and what it costs"
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="cpu, cuda, ... (auto)"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )


def _pipeline(args: argparse.Namespace, report: Any) -> PretrainingPipeline:
    from tweetclf.utils.optional import import_optional

    import_optional("torch", extra="neural", caller="tweetclf pretrain")
    from tweetclf.pretraining.pipeline import PretrainingPipeline
    from tweetclf.pretraining.pretraining_config import read_pretraining_config

    config = read_pretraining_config(args.config)
    config = config.with_sources(args.pairs, args.texts)
    if args.out is not None:
        config = replace(config, out=replace(config.out, folder=args.out))
    return PretrainingPipeline(
        config, data_dir=args.data_dir, device=args.device, report=report, say=note
    )


def _tell(event: dict[str, Any]) -> None:
    """Print what was measured on held-out documents."""
    scores = {k: v for k, v in event.items() if k.startswith("valid_")}
    if event["kind"] not in ("epoch", "evaluation") or not scores:
        return
    where = f"epoch {event['epoch'] + 1}"
    if event["kind"] == "evaluation":
        where = f"step {event['step'] + 1:,}"
    said = ", ".join(f"{k.removeprefix('valid_')} {v:.4f}" for k, v in scores.items())
    note(f"{where}: on held-out documents {said}")


def _print_plan(pipeline: PretrainingPipeline, as_json: bool) -> None:
    from tweetclf.pretraining.pipeline_plan import plan_pretraining, to_dict

    plan = plan_pretraining(pipeline)
    if as_json:
        print_json(to_dict(plan))
        return
    print_table(
        ["stage", "state", "folder"],
        [[s.name, s.state, str(s.folder)] for s in plan.stages],
    )
    training = pipeline.config.training
    print()
    lines = {
        "corpora": ", ".join(pipeline.config.corpora),
        "vocabulary": f"{plan.vocab_size:,} tokens",
        "parameters": f"{plan.n_parameters:,}",
        "memory of a process": f"about {humanise_bytes(plan.memory_bytes)}",
        "batch": f"{training.effective_batch_size or training.batch_size:,} examples a "
        f"step, {training.batch_size:,} at a time, up to {training.max_length} tokens",
        "operations an example": f"up to {plan.flops_per_example / 1e9:,.1f} GFLOP",
    }
    if plan.n_examples is not None:
        lines["examples an epoch"] = f"{plan.n_examples:,}"
        lines["steps"] = f"{plan.n_steps:,}"
    elif training.max_steps is not None:
        lines["steps"] = f"{training.max_steps:,}"
    else:
        lines["epochs"] = f"{training.max_iter:,}"
    for name, value in lines.items():
        print(f"{name + ':':<23}{value}")


def run(args: argparse.Namespace) -> int:
    """Print the plan, or carry it out."""
    from tweetclf.training.progress import show_progress

    if args.dry_run or args.json:
        _print_plan(_pipeline(args, None), args.json)
        return 0
    with show_progress("pre-training") as show:

        def report(event: dict[str, Any]) -> None:
            show(event)
            _tell(event)

        pipeline = _pipeline(args, report)
        n_steps = pipeline.config.training.max_steps
        show({"kind": "start", "description": "pre-training", "n_steps": n_steps})
        try:
            folder = pipeline.run(args.only)
        except KeyboardInterrupt:
            if args.debug:
                raise
            note(
                "tweetclf pretrain: interrupted; the same command goes on from what is "
                f"in {pipeline.out}."
            )
            return 130
    if pipeline.is_main:
        note(f"done: {folder}")
    return 0

r"""Learn an encoder with pairs of socially similar tweets, as TwHIN-BERT.

CONFIG is a TOML file, or one of twhin-base, twhin-large, twhin-tiny. Its stages are
written to folders in --out; a stage that is there is not trained again, and a run that
is interrupted goes on where it was when it is started again. Pairs come from "tweetclf
social pairs", with their texts from "tweetclf social corpus". Several GPUs or processes
train together under torchrun.

examples:
  tweetclf pretrain social twhin-tiny --corpus corpus --out twhin
  tweetclf pretrain social my.toml --out twhin --precision bfloat16
  torchrun --nproc-per-node 4 -m tweetclf pretrain twhin-base --corpus c --out twhin
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from tweetclf.cli._output import note, warnings_as_notes
from tweetclf.cli._running import positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf pretrain social``."""
    parser.add_argument("config", metavar="CONFIG", help="a .toml file, or a name")
    parser.add_argument(
        "--corpus", metavar="DIR", help="pairs, in place of the configuration's"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of stages")
    parser.add_argument(
        "--checkpoint-every",
        type=positive,
        metavar="N",
        help="keep the state also after so many steps",
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="cpu, cuda, ... (auto)"
    )
    parser.add_argument(
        "--precision", choices=["float32", "bfloat16", "auto"], default="float32"
    )


def run(args: argparse.Namespace) -> int:
    """Train all stages."""
    from tweetclf.utils.optional import import_optional

    import_optional("torch", extra="neural", caller="tweetclf pretrain social")
    from tweetclf.pretraining.social_config import (
        packaged_social_config,
        read_social_config,
        run_social_config,
    )
    from tweetclf.training.distributed import is_main_process
    from tweetclf.training.progress import show_progress

    path = Path(args.config)
    if path.suffix != ".toml":
        path = packaged_social_config(args.config)
    config = read_social_config(path)
    if args.corpus is not None:
        config = replace(config, corpus=Path(args.corpus))
    is_main = is_main_process()
    # Of several processes one speaks.
    enabled = None if is_main else False
    progress = show_progress("social pre-training", enabled=enabled)
    with warnings_as_notes(), progress as show:

        def report(stage: str, event: dict[str, Any]) -> None:
            show(event)
            if is_main and event["kind"] == "epoch":
                scores = ", ".join(
                    f"{name.removeprefix('valid_')} {value:.4f}"
                    for name, value in event.items()
                    if name.startswith("valid_")
                )
                note(f"{stage}, epoch {event['epoch'] + 1}: on held-out pairs {scores}")

        try:
            done = run_social_config(
                config,
                args.out,
                report=report,
                device=args.device,
                precision=args.precision,
                checkpoint_every=args.checkpoint_every,
            )
        except KeyboardInterrupt:
            if args.debug:
                raise
            note(
                "tweetclf pretrain: interrupted; the same command goes on from what is "
                f"in {args.out}."
            )
            return 130
    if not is_main:
        return 0
    for name, result in done.items():
        note(f"{name}: {result.n_steps:,} steps, saved in {result.path}")
    if not done:
        note(f"all stages are in {args.out} already")
    return 0

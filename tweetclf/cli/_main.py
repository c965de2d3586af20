"""Parse the command line, run one command, turn errors into exit codes.

Exit codes: 0 success, 1 an error or a failed run, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from tweetclf._version import __version__
from tweetclf.cli._output import UsageError
from tweetclf.exceptions import TweetclfError

__all__ = ["main"]

COMMANDS = {
    "leaderboard": "run systems on tasks and write a report",
    "report": "write a report of the runs in a store",
    "search": "search the hyper-parameters of a system on a task",
    "export": "write runs as model cards and results for MTEB and the Hugging Face Hub",
    "rerun": "make a stored run again and compare every number",
    "pretrain": "learn a model of language from unlabelled tweets",
    "adapt": "adapt a language model to tweets: new vocabulary, more training",
    "social": "engagement graphs: who engaged with what, and posts that are alike",
    "fit": "train one system and save the model",
    "predict": "label a file or standard input with a saved model",
    "audit": "look for leaks, contradicting labels and damage in a task or file",
    "analyze": "look into a pretrained model: likelihoods, heads, vectors, replies",
    "advise": "is BERT worth it? baselines, learning curve and what to do next",
    "tasks": "list the tasks and whether their data are at hand",
    "systems": "list the systems and the papers they reproduce",
    "published": "list published results of a task, with their sources",
    "submit": "write predictions as the files that a shared task asks for",
    "score": "score files in the format of a shared task",
    "fetch": "download a public dataset",
    "doctor": "check the installation, the extras and the data",
}

# What an interrupt leaves behind, where there is something to say.
KEPT = {
    "leaderboard": "finished runs are stored; the same command goes on from there",
    "search": "finished trials are stored; the same command goes on from there",
}

_OVERVIEW = """\
Honest, strong, fast baselines for tweet classification.

commands:
{commands}

Run "tweetclf COMMAND --help" for the options of a command. The quickest start,
needing no data, is "tweetclf leaderboard".
"""


def _overview() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="tweetclf",
        usage="tweetclf [-h] [--version] COMMAND ...",
        description=_OVERVIEW.format(commands=lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"tweetclf {__version__}"
    )
    parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _command_parser(name: str) -> argparse.ArgumentParser:
    # Not of use to "tweetclf --help".
    from tweetclf.cli._parser import CommandParser

    module = importlib.import_module(f"tweetclf.cli.{name}")
    parser = CommandParser(
        prog=f"tweetclf {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error"
    )
    parser.set_defaults(run=module.run)
    return parser


def _silence_stdout() -> None:
    """Keep Python from complaining at exit about a pipe that was closed."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``tweetclf`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        Exit code: 0 success, 1 an error, 130 interrupted.

    Raises
    ------
    SystemExit
        With code 2 on wrong usage, and 0 after ``--help`` and ``--version``.
    """
    overview = _overview()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        overview.print_help()
        return 2
    chosen = overview.parse_args(arguments[:1])
    if chosen.command not in COMMANDS:
        from tweetclf.utils.registry import suggest

        near = suggest(chosen.command, COMMANDS)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        overview.error(
            f"unknown command {chosen.command!r}.{hint} The commands are "
            f"{', '.join(COMMANDS)}."
        )
    parser = _command_parser(chosen.command)
    rest = arguments[1:]
    if chosen.command == "pretrain":
        from tweetclf.cli.pretrain import spell_out

        rest = spell_out(rest)
    args = parser.parse_args(rest)
    args.argv = arguments
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        if args.debug:
            raise
        kept = KEPT.get(chosen.command)
        print(f"tweetclf: interrupted{f'; {kept}' if kept else ''}.", file=sys.stderr)
        return 130
    except UsageError as error:
        parser.error(str(error))
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except (TweetclfError, OSError) as error:
        if args.debug:
            raise
        print(f"tweetclf {chosen.command}: error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if args.debug:
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        print(
            f"tweetclf {chosen.command}: internal error: {said}; run again with "
            "--debug",
            file=sys.stderr,
        )
        return 1

"""From texts to a pre-trained encoder: corpus, tokenizer, tokens, model.

Each stage writes one folder, beside the others in the folder of the configuration. A
stage is named by the hash of all that determines it, the stages before it included; one
that is there is not made again, and one of other settings is never overwritten. A stage
that is killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tweetclf.exceptions import DataError
from tweetclf.pretraining._pipeline_sources import fingerprint, materialise
from tweetclf.pretraining.corpus import build_corpus, corpus_documents, write_tokens
from tweetclf.pretraining.corpus._protected import protected_tasks
from tweetclf.pretraining.encoder import train_encoder
from tweetclf.pretraining.pretraining_config import PretrainingConfig, check_named
from tweetclf.utils.files import sha256_file, write_text_atomic

__all__ = ["STAGES", "PretrainingPipeline", "PretrainingStage"]

STAGES = ("corpus", "tokenizer", "tokens", "model")
_MARK = "stage.json"
_VALIDATION = "validation"

Report = Callable[[dict[str, Any]], bool | None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class PretrainingStage:
    """One stage of a configuration.

    Parameters
    ----------
    name : {"corpus", "tokenizer", "tokens", "model"}
        Which.
    key : str
        Hash of what determines it.
    folder : Path
        Where it is, or will be.
    """

    name: str
    key: str
    folder: Path

    @property
    def work(self) -> Path:
        """Where it is made, before it is renamed."""
        return self.folder.with_name(f".{self.name}-{self.key}")

    @property
    def state(self) -> Literal["done", "begun", "to do", "other settings"]:
        """What is there."""
        if not self.folder.exists():
            begun = any(self.folder.parent.glob(f".{self.name}-{self.key}*"))
            return "begun" if begun else "to do"
        mark = self.folder / _MARK
        if mark.is_file() and json.loads(mark.read_text("utf-8"))["key"] == self.key:
            return "done"
        return "other settings"


class PretrainingPipeline:
    """The stages of a configuration, and how they are made.

    Parameters
    ----------
    config : PretrainingConfig
        The configuration.
    data_dir : path, optional
        Folder of the registered corpora and tasks, as in `load_task`.
    device : str, default="auto"
        What the model is trained on.
    report : callable, optional
        Told what happens in training, see `tweetclf.training.fit_loop`.
    say : callable, optional
        Told in words what happens between stages.
    """

    def __init__(
        self,
        config: PretrainingConfig,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        device: str = "auto",
        report: Report | None = None,
        say: Say | None = None,
    ) -> None:
        check_named(config)
        self.config = config
        self.data_dir = data_dir
        self.device = device
        self.report = report
        self.say: Say = say or (lambda words: None)
        self.out = Path(config.out.folder)
        self.is_main = int(os.environ.get("RANK", "0")) == 0
        self.stages = self._make_stages()

    def _make_stages(self) -> dict[str, PretrainingStage]:
        config = self.config
        corpora = {
            kind: fingerprint(settings, self.data_dir)
            for kind, settings in config.corpora.items()
        }
        tokenizer: dict[str, Any] = asdict(config.tokenizer)
        if config.tokenizer.path is not None:
            file = Path(config.tokenizer.path, "tokenizer.json")
            if not file.is_file():
                raise DataError(f"there is no tokenizer at {config.tokenizer.path}.")
            tokenizer = {"sha256": sha256_file(file)}
        start = None
        if config.start is not None:
            weights = sorted(Path(config.start).glob("*.safetensors"))
            start = [sha256_file(path) for path in weights]
        told = {
            "corpus": corpora,
            "tokenizer": tokenizer,
            "tokens": {},
            "model": {"training": asdict(config.training), "start": start},
        }
        stages = {}
        key = ""
        for name in STAGES:
            text = json.dumps([name, key, told[name]], sort_keys=True)
            key = hashlib.sha256(text.encode()).hexdigest()[:16]
            stages[name] = PretrainingStage(name, key, self.out / name)
        return stages

    def run(self, only: str | None = None) -> Path:
        """Make what is not there yet.

        Parameters
        ----------
        only : {"corpus", "tokenizer", "tokens", "model"}, optional
            Make this stage alone; those before it must be there.

        Returns
        -------
        Path
            The folder of the last stage that was made.

        Raises
        ------
        DataError
            If a stage of other settings is in the way, or one before `only` is missing.
        """
        for name in STAGES:
            stage = self.stages[name]
            if stage.state == "other settings":
                raise DataError(
                    f"{stage.folder} was made of other data or settings. Remove it, or "
                    "name another folder (--out, or 'folder' in [out])."
                )
            if only is not None and name != only and stage.state != "done":
                raise DataError(
                    f"the stage {only!r} needs {name!r}, which is not there yet. Run "
                    f"--only {name} first, or all stages without --only."
                )
            if only is None or name == only:
                self._make(stage)
            if name == only:
                break
        return stage.folder

    def _make(self, stage: PretrainingStage) -> None:
        if stage.state == "done":
            if self.is_main:
                self.say(f"{stage.name}: up to date, in {stage.folder}")
                if stage.name == "corpus":
                    self._say_unseen()
            return
        if not self.is_main and stage.name != "model":
            # Of several processes the first makes the data; torchrun ends all of them
            # if it fails.
            while stage.state != "done":
                time.sleep(0.2)
            return
        if self.is_main:
            self.say(f"{stage.name}: {stage.state}")
        began = time.perf_counter()
        getattr(self, f"_make_{stage.name}")(stage.work)
        if self.is_main:
            seconds = round(time.perf_counter() - began, 1)
            mark = {"stage": stage.name, "key": stage.key, "seconds": seconds}
            write_text_atomic(stage.work / _MARK, json.dumps(mark) + "\n")
            stage.work.replace(stage.folder)
            self.say(f"{stage.name}: made in {seconds:,.0f} s, in {stage.folder}")

    def _say_unseen(self) -> None:
        """Name tasks that are at hand by now, and were not when a corpus was made."""
        at_hand = protected_tasks(None, self.data_dir)
        for kind in self.config.corpora:
            card = self._card(kind)
            if card["plan"]["tasks"] is None:
                known = card["contamination"].get("tasks", at_hand)
                if unseen := sorted({*at_hand} - {*known}):
                    self.say(
                        f"warning: {self._corpus_folder(kind)} was not compared with "
                        f"the test sets of {', '.join(unseen)}, which were not at hand "
                        "when it was made. Make it anew before you score on them."
                    )

    # The stages ------------------------------------------------------------------

    def _make_corpus(self, folder: Path) -> None:
        for kind, settings in self.config.corpora.items():
            if settings.plan is None or (folder / kind).exists():
                continue
            plan = materialise(settings.plan, folder / "sources", self.data_dir)
            build_corpus(plan, folder / kind, data_dir=self.data_dir)
        shutil.rmtree(folder / "sources", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)

    def _corpus_folder(self, kind: str) -> Path:
        ready = self.config.corpora[kind].ready
        return self.stages["corpus"].folder / kind if ready is None else Path(ready)

    def _card(self, kind: str) -> dict[str, Any]:
        card = self._corpus_folder(kind) / "card.json"
        return json.loads(card.read_text("utf-8"))

    def _splits(self, kind: str) -> list[str]:
        """Return the split of training and, if it holds documents, of validation."""
        counts = {k: v["documents"] for k, v in self._card(kind)["splits"].items()}
        first = next(iter(counts))
        return [first] + [_VALIDATION] * bool(counts.get(_VALIDATION, 0))

    def _training_texts(self) -> Iterator[str]:
        """Yield what the tokenizer is learnt from: every n-th document."""
        kinds = list(self.config.corpora)
        n = 0
        for kind in kinds:
            splits = self._card(kind)["splits"]
            n += splits[self._splits(kind)[0]]["documents"] * (1 + (kind == "pairs"))
        step = -(-n // self.config.tokenizer.max_texts)
        for kind in kinds:
            documents = corpus_documents(
                self._corpus_folder(kind), self._splits(kind)[0]
            )
            for number, document in enumerate(documents):
                if number % step == 0:
                    yield from (document,) if isinstance(document, str) else document

    def _make_tokenizer(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        from tweetclf.pretraining.tweet_tokenizer import train_tweet_tokenizer

        settings = self.config.tokenizer
        if settings.path is not None:
            tokenizer = AutoTokenizer.from_pretrained(
                settings.path, local_files_only=True
            )
        else:
            tokenizer = train_tweet_tokenizer(
                self._training_texts(),
                **{"max_length": self.config.training.max_length, **settings.options},
            )
        tokenizer.save_pretrained(folder)

    def _make_tokens(self, folder: Path) -> None:
        for kind in self.config.corpora:
            for number, split in enumerate(self._splits(kind)):
                target = folder / f"{kind}-{_VALIDATION if number else 'train'}"
                if target.exists():
                    continue
                documents = corpus_documents(self._corpus_folder(kind), split)
                write_tokens(documents, self.stages["tokenizer"].folder, target)

    def _make_model(self, folder: Path) -> None:
        # Whole already: the process was killed before it could rename it.
        if (folder / "pretraining.json").is_file():
            return
        tokens = self.stages["tokens"].folder
        out = self.config.out
        training = [tokens / f"{kind}-train" for kind in self.config.corpora]
        validation = [tokens / f"{kind}-{_VALIDATION}" for kind in self.config.corpora]
        cards = {
            kind: sha256_file(self._corpus_folder(kind) / "card.json")
            for kind in self.config.corpora
        }
        train_encoder(
            training,
            folder,
            training=self.config.training,
            validation=[path for path in validation if path.exists()] or None,
            start=self.config.start,
            device=self.device,
            checkpoint=folder.with_name(f"{folder.name}.training"),
            checkpoint_minutes=out.checkpoint_minutes,
            tensorboard=self.out / "tensorboard" if out.tensorboard else None,
            facts={"config": self.config.name, "cards": cards},
            report=self.report,
        )

"""Directories of fine-tuned models that transformers loads, and reading them back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import is_classifier

from tweetclf.estimators._neural_compute import finished
from tweetclf.estimators._transformer_compute import choose_length, describe, load
from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features._pretrained import PROFILE_FILE
from tweetclf.modules.transformer_heads import output_layer
from tweetclf.preprocessing import get_profile
from tweetclf.training.devices import choose_device
from tweetclf.utils.files import atomic_directory
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.tensors import read_tensors, write_tensors

__all__ = ["HEAD_FILE", "read_directory", "write_directory"]

HEAD_FILE = "tweetclf_head.safetensors"
"""The linear layer over pooled states, for which transformers has no class."""

# What prediction depends on.
_PARAMETERS = ("pooling", "n_segments", "threshold", "precision")


def write_directory(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator; see `TransformerClassifier.save_pretrained`."""
    module = estimator.module_
    weights = _outer_weights(estimator, module)
    with atomic_directory(path) as folder:
        if estimator.pooling == "cls":
            state = {**module.model.state_dict(), **weights}
        else:
            state = module.model.state_dict()
            arrays = {k: v.cpu().numpy() for k, v in weights.items()}
            write_tensors(folder / HEAD_FILE, arrays)
        with quiet_transformers():
            module.model.save_pretrained(folder, state_dict=state)
        for name, data in estimator.tokenizer_files_.items():
            (folder / name).write_bytes(data.tobytes())
        text = json.dumps(_description(estimator), indent=1) + "\n"
        (folder / PROFILE_FILE).write_text(text, encoding="ascii")


def _outer_weights(estimator: Any, module: Any) -> dict[str, torch.Tensor]:
    """Return the weights of the output layer, in the units of y."""
    holder = module.model if estimator.pooling == "cls" else module
    name = output_layer(holder)
    layer = holder.get_submodule(name)
    weight, bias = layer.weight.detach(), layer.bias.detach()
    if not is_classifier(estimator):
        weight = weight * estimator.target_scale_
        bias = bias * estimator.target_scale_ + estimator.target_mean_
    return {f"{name}.weight": weight, f"{name}.bias": bias}


def _description(estimator: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "profile": estimator.normalizer_.profile,
        "estimator": type(estimator).__name__,
        "parameters": {
            "max_length": estimator._row_length,
            **{n: getattr(estimator, n) for n in _PARAMETERS if hasattr(estimator, n)},
        },
    }
    if is_classifier(estimator):
        classes = estimator.classes_
        described["classes"] = {
            "dtype": "object" if classes.dtype.kind == "O" else classes.dtype.str,
            "values": classes.tolist(),
        }
        described["multilabel"] = estimator.multilabel_
        if estimator.multilabel_:
            described["absent"] = estimator.absent_.tolist()
            described["thresholds"] = estimator.thresholds_.tolist()
    return described


def read_directory(cls: type, path: str | os.PathLike[str]) -> Any:
    """Make a fitted estimator; see `TransformerClassifier.from_pretrained`."""
    described = _read_description(Path(path))
    found = described.get("estimator", cls.__name__)
    if found != cls.__name__:
        raise DataError(f"{os.fspath(path)} holds a {found}, not a {cls.__name__}.")
    estimator = cls(model=os.fspath(path))
    known = estimator.get_params()
    parameters = described.get("parameters", {})
    estimator.set_params(**{k: v for k, v in parameters.items() if k in known})
    loaded = load(estimator)
    estimator.max_length_ = estimator.max_length or choose_length(
        estimator, loaded.model
    )
    estimator.profile = loaded.profile
    estimator.normalizer_ = get_profile(loaded.profile or "raw").make_normalizer()
    if is_classifier(estimator):
        _set_classes(estimator, loaded.model, described)
    else:
        _require_outputs(loaded.model, 1, path)
        estimator.target_mean_, estimator.target_scale_ = 0.0, 1.0
    module = estimator._wrap(loaded.model, None)
    if estimator.pooling != "cls":
        arrays, _ = read_tensors(Path(path) / HEAD_FILE)
        layer = module.get_submodule(output_layer(module))
        names = {k: k.rpartition(".")[2] for k in arrays}
        layer.load_state_dict({names[k]: torch.from_numpy(arrays[k]) for k in arrays})
    estimator.architecture_, estimator.config_, files = describe(loaded)
    estimator.tokenizer_files_ = files
    estimator.plan_ = module.plan
    estimator.history_, estimator.n_iter_ = [], 0
    estimator._module = finished(module.to(choose_device(estimator.device)))
    return estimator


def _read_description(folder: Path) -> dict[str, Any]:
    file = folder / PROFILE_FILE
    if not file.is_file():
        return {}
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError) as error:
        raise ModelFormatError(f"{file} is damaged: {error}.") from error
    if not isinstance(described, dict):
        raise ModelFormatError(f"{file} is damaged: it holds no object.")
    return described


def _require_outputs(model: Any, n_outputs: int, path: Any) -> None:
    if model.config.num_labels != n_outputs:
        raise DataError(
            f"{os.fspath(path)} has {model.config.num_labels} outputs; a regressor has "
            "one. Read it as a TransformerClassifier."
        )


def _set_classes(estimator: Any, model: Any, described: dict[str, Any]) -> None:
    """Set what a classifier knows of its classes."""
    estimator.class_weight_ = None
    estimator.thresholds_ = None
    if "classes" in described:
        stored = described["classes"]
        values = np.array(stored["values"], dtype=np.dtype(stored["dtype"]))
        estimator.classes_ = values
        estimator.multilabel_ = bool(described["multilabel"])
        if estimator.multilabel_:
            estimator.absent_ = np.array(described["absent"], dtype=bool)
            estimator.thresholds_ = np.array(described["thresholds"], dtype=float)
        return
    if model.config.num_labels < 2:
        raise DataError(
            f"{estimator.model} has one output. Read it as a TransformerRegressor."
        )
    kind = model.config.problem_type
    estimator.multilabel_ = kind == "multi_label_classification"
    n_labels = model.config.num_labels
    if estimator.multilabel_:
        estimator.classes_ = np.arange(n_labels)
        estimator.absent_ = np.zeros(n_labels, dtype=bool)
        estimator.thresholds_ = np.full(n_labels, 0.5)
        return
    names = [model.config.id2label[k] for k in range(n_labels)]
    _sort_outputs(model, np.argsort(names))
    estimator.classes_ = np.sort(np.array(names))


def _sort_outputs(model: Any, order: NDArray[np.intp]) -> None:
    """Put the outputs of a model into another order."""
    if (order == np.arange(len(order))).all():
        return
    layer = model.get_submodule(output_layer(model))
    rows = torch.from_numpy(order)
    with torch.no_grad():
        layer.weight.copy_(layer.weight[rows].clone())
        layer.bias.copy_(layer.bias[rows].clone())
    names = [model.config.id2label[k] for k in order.tolist()]
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: k for k, name in enumerate(names)}

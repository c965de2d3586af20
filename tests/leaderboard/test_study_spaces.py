"""Search spaces and strategies, without running anything."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, StratifiedKFold

from tweetclf.exceptions import DataError, RecordError, UnknownNameError
from tweetclf.leaderboard import (
    Choice,
    Integer,
    LogUniform,
    Space,
    Sweep,
    System,
    Trial,
    Uniform,
    get_system,
    list_systems,
    register_space,
)
from tweetclf.leaderboard.bayesian import TPE
from tweetclf.leaderboard.named_spaces import FITTING, SPACES, find_space
from tweetclf.leaderboard.strategies import (
    Halving,
    Listed,
    Proposal,
    halving_schedule,
    sample_settings,
)
from tweetclf.tasks import Task, load_task

TREE = Space(
    {
        "learner": Choice(("svm", "lr")),
        "C": LogUniform(0.01, 10.0),
        "loss": Choice(("hinge", "squared")),
        "ngrams": Choice(((1, 1), (1, 2))),
    },
    conditions={"loss": ("learner", ("svm",))},
)


def _finished(settings: list[dict[str, object]]) -> dict[int, Trial]:
    """Score settings by a function with its best at C = 1 and learner svm."""
    return {
        n: Trial(
            n,
            params,
            -abs(np.log(float(str(params["C"])))) + (params["learner"] == "svm"),
            "complete",
        )
        for n, params in enumerate(settings)
    }


def test_a_grid_has_the_order_of_the_leaderboards() -> None:
    task = load_task("sample-humor")
    for system in list_systems():
        if system.grid and system.supports("binary") and not system.module:
            settings = list(find_space(system, "grid").settings())
            assert settings == list(system.candidates(task))


def test_a_parameter_is_there_where_its_condition_holds() -> None:
    for i in range(50):
        params = TREE.sample(np.random.default_rng(i))
        assert ("loss" in params) == (params["learner"] == "svm")
    small = Space({**TREE.dimensions, "C": Choice((1.0,))}, TREE.conditions)
    settings = list(small.settings())
    assert len(settings) == 2 * 2 + 2
    assert [s["learner"] for s in settings if "loss" not in s] == ["lr", "lr"]


@given(st.integers(0, 10_000), st.floats(1e-6, 1e3), st.floats(1.01, 1e6))
def test_samples_keep_within_their_bounds(seed: int, low: float, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    high = low * ratio
    assert low <= Uniform(low, high).sample(rng) <= high
    assert low <= LogUniform(low, high).sample(rng) <= high
    assert 1 <= Integer(1, 5, log=True).sample(rng) <= 5
    assert -3 <= Integer(-3, 5).sample(rng) <= 5


def test_a_log_scale_gives_each_decade_its_share() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([LogUniform(1e-3, 1e3).sample(rng) for _ in range(6000)])
    counts = np.histogram(np.log10(drawn), bins=6, range=(-3, 3))[0]
    assert counts.min() > 850
    whole = [Integer(1, 100, log=True).sample(rng) for _ in range(3000)]
    assert 0.4 < np.mean(np.array(whole) <= 10) < 0.62


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Uniform(1.0, 1.0), "finite and rise"),
        (lambda: LogUniform(0.0, 1.0), "above 0"),
        (lambda: Integer(0, 4, log=True), "above 0"),
        (lambda: Uniform(0.0, float("inf")), "finite"),
        (lambda: Choice(()), "no values"),
        (lambda: Choice((DummyClassifier(),)), "DummyClassifier"),
        (lambda: Choice((1.0, float("inf"))), "a finite number.*got inf"),
        (lambda: Choice(((1, float("nan")),)), "a finite number.*got nan"),
        (lambda: Space({"a": Choice((1,))}, {"a": ("b", (1,))}), "'b'"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        make()


def test_spaces_travel_with_their_system() -> None:
    system = get_system("nbsvm")
    again = pickle.loads(pickle.dumps(system))
    assert again == system
    assert again.space.to_document() == system.space.to_document()
    assert pickle.loads(pickle.dumps(TREE)) == TREE


def test_every_declared_space_fits_its_system() -> None:
    for system in list_systems():
        kinds = {"binary": "sample-humor", "multilabel": "sample-emotions"}
        kinds["regression"] = "sample-funniness"
        for kind, name in kinds.items():
            if not system.supports(kind) or system.name == "ngram-ensemble":
                continue
            task = load_task(name)
            for space in ("grid", "wide"):
                if system.grid if space == "grid" else system.space:
                    found = find_space(system, space)
                    system.check_parameters(task, found.dimensions, space)


def test_spaces_of_the_papers_are_there() -> None:
    assert {"twilbert", "haha", "japanese-bert"} <= set(SPACES)
    twilbert = SPACES.get("twilbert")
    assert len(list(twilbert.settings())) == 2 * 4 * 2
    assert twilbert.plan.n_seeds == 3
    haha = find_space(get_system("nbsvm"), "haha")
    assert (haha.plan.n_folds, haha.plan.n_seeds) == (5, 20)
    assert list(haha.dimensions) == list(get_system("nbsvm").grid)
    assert find_space(get_system("majority"), "haha").dimensions == {}
    assert SPACES.get("japanese-bert").plan.n_trials == 100


def test_the_systems_that_a_space_of_a_paper_fits_are_written_down() -> None:
    samples = {"binary": "sample-humor", "multilabel": "sample-emotions"}
    samples["regression"] = "sample-funniness"
    for name, fitting in FITTING.items():
        found = []
        for system in list_systems():
            kinds = [kind for kind in samples if system.supports(kind)]
            try:
                task = load_task(samples[kinds[0]])
                system.check_parameters(task, SPACES.get(name).dimensions, name)
            except (DataError, ImportError, IndexError):
                # It lacks them, or needs what is not installed.
                continue
            found.append(system.name)
        installed = [
            system
            for system in fitting
            if (module := get_system(system).module) is None or find_spec(module)
        ]
        assert found == installed, f"write the systems of {name} into FITTING"


@pytest.mark.parametrize("name", sorted(FITTING))
def test_a_system_that_a_space_fits_accepts_each_of_its_settings(name: str) -> None:
    pytest.importorskip("transformers")
    space = SPACES.get(name)
    settings = sample_settings(space, 30, seed=0)
    if space.plan.strategy == "grid":
        settings = list(space.settings())
    assert settings
    assert FITTING[name], "or the space is of no use"
    for who in FITTING[name]:
        system = get_system(who)
        kind = "binary" if system.supports("binary") else "regression"
        task = load_task({"binary": "sample-humor"}.get(kind, "sample-funniness"))
        names = system.parameter_names(task, space.dimensions)
        model = system.build(task)
        assert not {key for key in names.values() if "__" in key}, "validate the step"
        for setting in settings:
            model.set_params(**{names[key]: value for key, value in setting.items()})
            model._validate_params()


def test_a_system_without_a_space_says_which_have_one() -> None:
    with pytest.raises(DataError, match=r"'majority' declares no search space.*nbsvm"):
        find_space(get_system("majority"), "grid")
    with pytest.raises(DataError, match="It declares 'wide'"):
        find_space(get_system("haha-nbsvm"), "grid")
    with pytest.raises(UnknownNameError, match="twilbert"):
        find_space(get_system("nbsvm"), "twilbrt")
    with pytest.raises(ValueError, match="grid"):
        register_space(Space({}, name="grid"))


def test_a_grid_over_a_distribution_names_it() -> None:
    with pytest.raises(DataError, match=r"C of space .* has a distribution"):
        list(TREE.settings())


def test_samples_of_a_list_do_not_repeat_and_grow() -> None:
    space = Space({"a": Choice((1, 2, 3)), "b": Choice((1, 2))})
    settings = sample_settings(space, 10, seed=3)
    assert len(settings) == 6
    assert len({tuple(s.values()) for s in settings}) == 6
    assert sample_settings(space, 4, seed=3) == settings[:4]
    assert sample_settings(space, 6, seed=4) != settings
    assert sample_settings(TREE, 3, seed=1) == sample_settings(TREE, 9, seed=1)[:3]


@pytest.mark.parametrize("n_candidates", [1, 2, 3, 8, 9, 10, 30])
@pytest.mark.parametrize(("n_samples", "minimum"), [(60, None), (200, None), (400, 20)])
@pytest.mark.parametrize("factor", [2, 3])
def test_the_schedule_of_halving_is_that_of_scikit_learn(
    n_candidates: int, n_samples: int, minimum: int | None, factor: int
) -> None:
    folds = StratifiedKFold(2)
    search = HalvingGridSearchCV(
        DummyClassifier(),
        {"constant": list(range(n_candidates))},
        factor=factor,
        min_resources="exhaust" if minimum is None else minimum,
        cv=folds,
    ).fit(np.zeros((n_samples, 1)), np.arange(n_samples) % 2)
    rungs = halving_schedule(
        n_candidates,
        factor=factor,
        min_resources=minimum,
        least=2 * 2 * 2,
        most=n_samples,
    )
    assert [rung.n_candidates for rung in rungs] == search.n_candidates_
    assert [rung.resource for rung in rungs] == search.n_resources_
    starts = np.cumsum([0, *search.n_candidates_])
    assert [rung.start for rung in rungs] == starts[:-1].tolist()


def test_halving_refuses_rounds_that_cannot_be() -> None:
    with pytest.raises(DataError, match=r"cannot have 50 .* there are 40"):
        halving_schedule(9, factor=3, min_resources=50, least=4, most=40)
    with pytest.raises(DataError, match="at least 20"):
        halving_schedule(9, factor=3, min_resources=None, least=20, most=10)


def test_a_first_round_that_is_too_small_is_refused_with_the_least() -> None:
    for minimum, fine in ((7, False), (8, True), (40, True), (41, False)):
        arguments = {"factor": 3, "min_resources": minimum, "least": 16, "most": 40}
        if fine:
            rungs = halving_schedule(9, **arguments, fewest=8)
            assert rungs[0].resource == minimum
        else:
            with pytest.raises(DataError, match="there are 40|from 8 to 40"):
                halving_schedule(9, **arguments, fewest=8)


def test_the_best_of_a_round_go_on_and_failed_ones_do_not() -> None:
    settings = [{"a": i} for i in range(6)]
    rungs = halving_schedule(6, factor=3, min_resources=10, least=1, most=40)
    scores = [0.2, 0.9, None, 0.9, 0.1, float("nan")]
    finished = {
        i: Trial(i, settings[i], s, "failed" if s is None else "complete")
        for i, s in enumerate(scores)
    }
    strategy = Halving(settings, rungs, greater_is_better=True)
    assert strategy.needs(5) == 0
    assert strategy.needs(6) == 6
    chosen = [strategy.propose(n, finished, {}) for n in (6, 7)]
    assert [p.params["a"] for p in chosen] == [1, 3]
    assert {p.resource for p in chosen} == {30}
    lowest = Halving(settings, rungs, greater_is_better=False)
    assert [lowest.propose(n, finished, {}).params["a"] for n in (6, 7)] == [4, 0]


def test_a_list_is_proposed_as_it_is() -> None:
    strategy = Listed([{"a": 1}, {"a": 2}])
    assert strategy.propose(1, {}, {}) == Proposal(1, {"a": 2})


class TestTPE:
    """The Bayesian strategy."""

    @pytest.fixture(autouse=True)
    def _optuna(self) -> None:
        pytest.importorskip("optuna")

    def _run(self, n: int, seed: int = 0, width: int = 1) -> list[dict[str, object]]:
        strategy = TPE(TREE, n, seed, greater_is_better=True, width=width)
        settings: list[dict[str, object]] = []
        for number in range(n):
            done = _finished(settings)
            settings.append(dict(strategy.propose(number, done, {}).params))
        return settings

    def test_a_proposal_depends_on_seed_number_and_history_alone(self) -> None:
        settings = self._run(16)
        strategy = TPE(TREE, 16, 0, greater_is_better=True)
        # Asked for out of order, by a strategy that has seen nothing.
        for number in (15, 3, 12):
            history = _finished(settings[:number])
            assert strategy.propose(number, history, {}).params == settings[number]
        assert self._run(12, seed=1) != settings[:12]

    def test_conditions_hold_and_values_are_ours(self) -> None:
        for params in self._run(20):
            assert ("loss" in params) == (params["learner"] == "svm")
            assert params["ngrams"] in {(1, 1), (1, 2)}
            assert 0.01 <= float(str(params["C"])) <= 10.0

    def test_it_finds_better_settings_than_chance(self) -> None:
        def best(settings: list[dict[str, object]]) -> float:
            return max(t.score or -9 for t in _finished(settings).values())

        learned = [best(self._run(25, seed)) for seed in range(4)]
        drawn = [best(sample_settings(TREE, 25, seed)) for seed in range(4)]
        assert np.mean(learned) > np.mean(drawn)

    def test_a_block_is_proposed_from_the_blocks_before(self) -> None:
        settings = self._run(24, width=4)
        strategy = TPE(TREE, 24, 0, greater_is_better=True, width=4)
        assert strategy.needs(14) == 12
        history = _finished(settings[:12])
        running: dict[int, Proposal] = {}
        for number in range(12, 16):
            running[number] = strategy.propose(number, history, running)
            assert running[number].params == settings[number]
        assert len({repr(p.params) for p in running.values()}) == 4

    def test_global_state_of_others_is_left_alone(self) -> None:
        import optuna

        level = optuna.logging.get_verbosity()
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        self._run(12)
        assert optuna.logging.get_verbosity() == level
        assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def _two_trials() -> Sweep:
    trials = (
        Trial(0, {"C": 0.1}, 0.5, "complete"),
        Trial(1, {"C": 1.0}, 0.6, "complete"),
    )
    return Sweep("toy", "svm", "grid", "grid", "accuracy", "dev", trials)


def test_a_sweep_is_what_it_was_after_reading() -> None:
    trials = (
        Trial(0, {"n": (1, 2), "C": 0.1}, 0.5, "complete", (0.4, float("inf")), 0.2),
        Trial(1, {"n": (1, 1)}, None, "failed", error="=boom"),
        Trial(2, {"n": (1, 1), "C": 1.0}, 0.9, "complete", resource=10),
    )
    sweep = Sweep("t", "s", "grid", "grid", "accuracy|v1", "cv", trials, n_folds=2)
    again = Sweep.from_json(sweep.to_json())
    assert again.trials[1:] == trials[1:]
    assert again.trials[0].params == trials[0].params
    assert sweep.best == trials[0], "a trial on all tweets goes before one on ten"
    assert sweep.failed == (trials[1],)
    assert sweep.parameters == ("n", "C")
    lines = sweep.to_csv().splitlines()
    assert lines[0].startswith(
        "number,state,score,resource,fit_seconds,param_n,param_C"
    )
    assert lines[2].endswith(",'=boom")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not a sweep"),
        ('{"trials": [], "format": 9}', "format 9"),
        ('{"trials": [{}], "format": 1}', "damaged: 'task' is missing"),
        ('{"trials": [], "format": 1}', "damaged: 'task' is missing"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused(text: str, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        Sweep.from_json(text, place="x.json")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("task", 3, "'task' is 3"),
        ("trials", {"0": {}}, "'trials' is {'0'"),
        ("trials", ["x"], "'trials' is \\['x'\\]"),
        ("evaluation", "test", "'evaluation' is 'test'"),
        ("greater_is_better", "no", "'greater_is_better' is 'no'"),
        ("n_folds", "five", "'n_folds' is 'five'"),
        ("seeds", 3, "'seeds' is 3"),
        ("scales", ["log"], "'scales' is"),
        ("scales", {"C": "loglog"}, "'scales' is"),
        ("version", None, "'version' is None"),
    ],
)
def test_a_damaged_sweep_says_what_is_wrong(key: str, value: object, said: str) -> None:
    document = json.loads(_two_trials().to_json())
    document[key] = value
    with pytest.raises(RecordError, match=f"x.json is damaged: {said}.*writes it"):
        Sweep.from_json(json.dumps(document), place="x.json")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("number", -1, "a trial is damaged: 'number' is -1"),
        ("number", 0, "two of its trials have the same number"),
        ("params", [], "trial 1 is damaged: 'params' is"),
        ("params", {"C": {"a": 1}}, "trial 1 is damaged: 'params' is"),
        ("score", "0.5", "trial 1 is damaged: 'score' is '0.5'"),
        ("state", "done", "trial 1 is damaged: 'state' is 'done'"),
        ("fold_scores", "0.5", "trial 1 is damaged: 'fold_scores' is '0.5'"),
        ("fit_seconds", None, "trial 1 is damaged: 'fit_seconds' is None"),
        ("records", "x", "trial 1 is damaged: 'records' is 'x'"),
        ("resource", "all", "trial 1 is damaged: 'resource' is 'all'"),
        ("error", 3, "trial 1 is damaged: 'error' is 3"),
    ],
)
def test_a_damaged_trial_says_what_is_wrong(key: str, value: object, said: str) -> None:
    document = json.loads(_two_trials().to_json())
    document["trials"][1][key] = value
    with pytest.raises(RecordError, match=f"x.json is damaged: {said}"):
        Sweep.from_json(json.dumps(document), place="x.json")
    del document["trials"][1][key]
    if key in {"number", "params", "score", "state"}:
        with pytest.raises(RecordError, match=f"{key!r} is missing"):
            Sweep.from_json(json.dumps(document), place="x.json")


def test_parameters_of_wrapped_steps_are_found(
    make_task: Callable[..., Task], toy_systems: list[System]
) -> None:
    task = load_task("sample-emotions")
    names = get_system("tfidf-lr").parameter_names(task, ["lr__C", "tfidf__min_df"])
    assert names == {"lr__C": "lr__estimator__C", "tfidf__min_df": "tfidf__min_df"}
    stance = load_task("sample-stance")
    found = get_system("tfidf-lr").parameter_names(stance, ["tfidf__min_df"])
    assert found == {"tfidf__min_df": "tfidf__vectorizer__min_df"}
    with pytest.raises(DataError, match=r"'x' does not fit .* no parameter batch_size"):
        toy_systems[1].check_parameters(make_task(), ["batch_size"], "space 'x'")

"""What pretrained models know: likelihoods, coherence, attention, few examples.

Each analysis returns plain data; `tweetclf.analysis.displays` draws it, and
``tweetclf analyze`` puts many of them into one page.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.analysis._models import LoadedModel, load_model
    from tweetclf.analysis.acceptability import (
        AcceptabilityItem,
        plan_sheets,
        read_items,
        read_sheets,
        write_sheets,
    )
    from tweetclf.analysis.analysing import analyse_models
    from tweetclf.analysis.candidates import (
        CandidateScores,
        compare_candidates,
        compare_sweeps,
    )
    from tweetclf.analysis.coherence import (
        CoherenceSet,
        reply_order_set,
        topic_coherence_set,
    )
    from tweetclf.analysis.curves import PretrainingRun, read_metrics
    from tweetclf.analysis.few_shot import (
        FeatureScores,
        FewShotCurve,
        feature_based_scores,
        few_shot_curve,
    )
    from tweetclf.analysis.heads import (
        AttentionMap,
        HeadRedundancy,
        attention_maps,
        head_redundancy,
    )
    from tweetclf.analysis.judging import Acceptability, Agreement, score_judgements
    from tweetclf.analysis.naming import ANALYSES, model_name
    from tweetclf.analysis.pair_coherence import Coherence, measure_coherence
    from tweetclf.analysis.projection import (
        TokenProjection,
        project_tokens,
        token_class,
    )
    from tweetclf.analysis.pseudo_likelihood import (
        PseudoLikelihood,
        pseudo_log_likelihood,
    )
    from tweetclf.analysis.reporting import ModelAnalysis, make_analysis_report
    from tweetclf.analysis.sampling import make_items
    from tweetclf.analysis.topk import TopKAccuracy, top_k_accuracy

_MODULES = {
    "_models": ("LoadedModel", "load_model"),
    "acceptability": (
        "AcceptabilityItem",
        "plan_sheets",
        "read_items",
        "read_sheets",
        "write_sheets",
    ),
    "analysing": ("analyse_models",),
    "candidates": ("CandidateScores", "compare_candidates", "compare_sweeps"),
    "coherence": ("CoherenceSet", "reply_order_set", "topic_coherence_set"),
    "curves": ("PretrainingRun", "read_metrics"),
    "few_shot": (
        "FeatureScores",
        "FewShotCurve",
        "feature_based_scores",
        "few_shot_curve",
    ),
    "heads": ("AttentionMap", "HeadRedundancy", "attention_maps", "head_redundancy"),
    "judging": ("Acceptability", "Agreement", "score_judgements"),
    "naming": ("ANALYSES", "model_name"),
    "pair_coherence": ("Coherence", "measure_coherence"),
    "projection": ("TokenProjection", "project_tokens", "token_class"),
    "pseudo_likelihood": ("PseudoLikelihood", "pseudo_log_likelihood"),
    "reporting": ("ModelAnalysis", "make_analysis_report"),
    "sampling": ("make_items",),
    "topk": ("TopKAccuracy", "top_k_accuracy"),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.analysis.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "ANALYSES",
    "Acceptability",
    "AcceptabilityItem",
    "Agreement",
    "AttentionMap",
    "CandidateScores",
    "Coherence",
    "CoherenceSet",
    "FeatureScores",
    "FewShotCurve",
    "HeadRedundancy",
    "LoadedModel",
    "ModelAnalysis",
    "PretrainingRun",
    "PseudoLikelihood",
    "TokenProjection",
    "TopKAccuracy",
    "analyse_models",
    "attention_maps",
    "compare_candidates",
    "compare_sweeps",
    "feature_based_scores",
    "few_shot_curve",
    "head_redundancy",
    "load_model",
    "make_analysis_report",
    "make_items",
    "measure_coherence",
    "model_name",
    "plan_sheets",
    "project_tokens",
    "pseudo_log_likelihood",
    "read_items",
    "read_metrics",
    "read_sheets",
    "reply_order_set",
    "score_judgements",
    "token_class",
    "top_k_accuracy",
    "topic_coherence_set",
    "write_sheets",
]

"""Tasks, their data and their official metrics.

`load_task` gives a benchmark of the registry or the user's own file as a frozen
`Task`: splits, label names, official `Metric`. `list_tasks` reads no data.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.tasks.audit import audit_contamination, audit_task
    from tweetclf.tasks.base import Split, Task
    from tweetclf.tasks.download import fetch
    from tweetclf.tasks.findings import Audit
    from tweetclf.tasks.loading import load_corpus, load_task
    from tweetclf.tasks.metric import Metric, get_metric, list_metrics
    from tweetclf.tasks.published import (
        PublishedResult,
        published_results,
        read_published,
    )
    from tweetclf.tasks.registry import (
        CorpusInfo,
        TaskInfo,
        list_corpora,
        list_tasks,
        task_info,
    )

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "Audit": "tweetclf.tasks.findings",
        "CorpusInfo": "tweetclf.tasks.registry",
        "Metric": "tweetclf.tasks.metric",
        "PublishedResult": "tweetclf.tasks.published",
        "Split": "tweetclf.tasks.base",
        "Task": "tweetclf.tasks.base",
        "TaskInfo": "tweetclf.tasks.registry",
        "audit_contamination": "tweetclf.tasks.audit",
        "audit_task": "tweetclf.tasks.audit",
        "fetch": "tweetclf.tasks.download",
        "get_metric": "tweetclf.tasks.metric",
        "list_corpora": "tweetclf.tasks.registry",
        "list_metrics": "tweetclf.tasks.metric",
        "list_tasks": "tweetclf.tasks.registry",
        "load_corpus": "tweetclf.tasks.loading",
        "load_task": "tweetclf.tasks.loading",
        "published_results": "tweetclf.tasks.published",
        "read_published": "tweetclf.tasks.published",
        "task_info": "tweetclf.tasks.registry",
    },
)

__all__ = [
    "Audit",
    "CorpusInfo",
    "Metric",
    "PublishedResult",
    "Split",
    "Task",
    "TaskInfo",
    "audit_contamination",
    "audit_task",
    "fetch",
    "get_metric",
    "list_corpora",
    "list_metrics",
    "list_tasks",
    "load_corpus",
    "load_task",
    "published_results",
    "read_published",
    "task_info",
]

"""Tables by language: averages against the numbers that the paper prints."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tweetclf.exceptions import DataError
from tweetclf.tasks import read_published
from tweetclf.tasks.by_language import TWHIN_RESOURCES, language_table

ENGAGEMENT, HASHTAGS = "TwHIN engagement prediction", "TwHIN hashtag prediction"
ROWS = read_published()


@pytest.mark.parametrize(
    ("dataset", "table", "digits"),
    [(ENGAGEMENT, "Table 6", 4), (HASHTAGS, "Table 7", 4)],
)
def test_means_over_50_languages_are_those_printed(dataset, table, digits):
    found = language_table(ROWS, dataset, table=table)
    assert len(found.languages) == 50
    assert {"TwHIN-BERT-Base", "TwHIN-BERT-Base-MLM", "XLM-R"} <= set(found.scores)
    for system, mean in found.printed.items():
        # .1042 is printed as .1043: systems.md, 2c.
        assert found.average(system) == pytest.approx(mean, abs=1.1 * 10**-digits)


@pytest.mark.parametrize(
    ("dataset", "table"), [(ENGAGEMENT, "Table 1"), (HASHTAGS, "Table 3")]
)
def test_groups_are_those_of_twelve_languages(dataset, table):
    found = language_table(ROWS, dataset, table=table)
    assert found.groups == dict(TWHIN_RESOURCES)
    system = "TwHIN-BERT-Base"
    scores = [found.scores[system][one] for one in TWHIN_RESOURCES["mid"]]
    assert found.average(system, "mid") == pytest.approx(np.mean(scores))


def test_a_mean_over_missing_languages_is_not_given():
    found = language_table(ROWS, ENGAGEMENT, table="Table 1")
    assert "BERTweet" in found.scores  # English alone
    assert math.isnan(found.average("BERTweet"))
    assert math.isnan(found.average("BERTweet", "high"))
    header, *lines = found.rows()
    line = next(line for line in lines if line[0] == "BERTweet")
    assert line[header.index("en")] == "0.1414"
    assert line[header.index("all")] == ""


def test_own_rows_stand_beside_published_ones():
    own = replace(ROWS[0], dataset=ENGAGEMENT, metric="HITS@10", system="mine",
                  language="en", table="", cite="me", score=0.2)  # fmt: skip
    found = language_table([*ROWS, own], ENGAGEMENT, table="Table 6")
    assert found.scores["mine"] == {"en": 0.2}
    assert len(found.languages) == 50


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="there is no row of 'nothing'"):
        language_table(ROWS, "nothing")
    with pytest.raises(DataError, match=r"two scores for tl: .*Choose a table"):
        language_table(ROWS, ENGAGEMENT)
    rows = [row for row in ROWS if row.dataset == ENGAGEMENT]
    rows.append(replace(rows[0], metric="MRR"))
    with pytest.raises(DataError, match="several metrics: HITS@10, MRR"):
        language_table(rows, ENGAGEMENT)

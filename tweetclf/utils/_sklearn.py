"""The only door to private names of scikit-learn.

When a release moves one of them, this file is the one to mend.
"""

from typing import Any

from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils._metadata_requests import SIMPLE_METHODS, MetadataRequest
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

try:
    from sklearn.utils._sparse import _align_api_if_sparse
except ImportError:  # scikit-learn 1.8 knows sparse matrices alone.

    def _align_api_if_sparse(X: Any) -> Any:
        return sparse.csr_matrix(X) if sparse.issparse(X) else X


__all__ = [
    "SIMPLE_METHODS",
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "MetadataRequest",
    "Options",
    "StrOptions",
    "_align_api_if_sparse",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "validate_params",
]

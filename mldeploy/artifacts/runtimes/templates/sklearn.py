"""Scores with a scikit-learn model, or another with its interface: predict, or the method that the request names."""

import joblib
import numpy as np
import payload
from azureml.core.model import Model

MODEL = "@MODEL@"
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")


def init():
    global model, names, count
    path = Model.get_model_path(MODEL)
    if path.endswith(".skops"):
        import skops.io

        # What it may hold was looked at before it was deployed.
        model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    else:
        model = joblib.load(path)
    found = getattr(model, "feature_names_in_", None)
    names = None if found is None else [str(name) for name in found]
    count = getattr(model, "n_features_in_", None)


@payload.answering
def run(data):
    table, asked = payload.read(data)
    method = asked.get("method", "predict")
    if method not in METHODS or not hasattr(model, method):
        has = ", ".join(one for one in METHODS if hasattr(model, one))
        raise payload.BadRequest(f"method {method!r} is none of the model's: {has}")
    rows = table.arranged(names, count)
    if names is not None:
        given = payload.frame(rows, names)
    else:
        given = np.array(payload.numbers(rows) if count is not None else rows)
    try:
        result = getattr(model, method)(given)
    except (TypeError, ValueError) as problem:
        raise payload.BadRequest(f"the model does not take it: {problem}") from None
    return {method if "method" in asked else "predictions": np.asarray(result).tolist()}

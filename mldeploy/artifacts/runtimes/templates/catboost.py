"""Scores with a CatBoost model in its own format."""

import catboost
import numpy as np
import payload
from azureml.core.model import Model

MODEL = "@MODEL@"


def init():
    global model, names
    model = catboost.CatBoost()
    model.load_model(Model.get_model_path(MODEL))
    found = model.feature_names_
    names = None if all(name == str(n) for n, name in enumerate(found)) else found


@payload.answering
def run(data):
    table, _ = payload.read(data)
    rows = table.arranged(names, len(model.feature_names_))
    if not model.get_cat_feature_indices():
        rows = payload.numbers(rows, names)
    return {"predictions": np.asarray(model.predict(rows)).tolist()}

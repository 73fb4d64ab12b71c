"""Scores with an XGBoost model in its own format (JSON or UBJSON)."""

import numpy as np
import payload
import xgboost
from azureml.core.model import Model

MODEL = "@MODEL@"


def init():
    global booster
    booster = xgboost.Booster()
    booster.load_model(Model.get_model_path(MODEL))


@payload.answering
def run(data):
    table, _ = payload.read(data)
    names = booster.feature_names
    rows = payload.numbers(table.arranged(names, booster.num_features()), names)
    given = xgboost.DMatrix(np.array(rows), feature_names=names, feature_types=booster.feature_types)
    return {"predictions": booster.predict(given).tolist()}

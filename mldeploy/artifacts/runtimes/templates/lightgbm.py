"""Scores with a LightGBM model in its own text format."""

import lightgbm
import numpy as np
import payload
from azureml.core.model import Model

MODEL = "@MODEL@"


def init():
    global booster, names
    booster = lightgbm.Booster(model_file=Model.get_model_path(MODEL))
    found = booster.feature_name()
    # Names that LightGBM made up are none that a client knows.
    names = None if all(name == f"Column_{n}" for n, name in enumerate(found)) else found


@payload.answering
def run(data):
    table, _ = payload.read(data)
    rows = payload.numbers(table.arranged(names, booster.num_feature()), names)
    return {"predictions": booster.predict(np.array(rows)).tolist()}

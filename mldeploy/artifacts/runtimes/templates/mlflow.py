"""Scores with an MLflow model of any flavour that pyfunc loads, checked against its signature."""

import json

import mlflow.pyfunc
import numpy as np
import payload
from azureml.core.model import Model
from mlflow.exceptions import MlflowException

MODEL = "@MODEL@"


def init():
    global model, names, tensors, fractions
    model = mlflow.pyfunc.load_model(Model.get_model_path(MODEL))
    schema = model.metadata.get_input_schema()
    tensors = schema is not None and schema.is_tensor_spec()
    typed = [] if schema is None or tensors else schema.inputs
    fractions = {one.name for one in typed if getattr(one.type, "name", "") in ("double", "float")}
    names = schema.input_names() if schema is not None and not tensors and schema.has_input_names() else None


@payload.answering
def run(data):
    table, asked = payload.read(data)
    if tensors:
        given = np.array(table.rows)
    else:
        rows = table.arranged(names, len(names) if names else None)
        columns = names or table.names or list(range(len(rows[0])))
        given = payload.frame(rows, columns)
        for name in fractions & set(columns):
            # JSON writes 2.0 as 2, too.
            if given[name].dtype.kind in "iu":
                given[name] = given[name].astype(float)
    try:
        result = model.predict(given, params=asked.get("params"))
    except MlflowException as problem:
        raise payload.BadRequest(problem.message) from None
    return {"predictions": plain(result)}


def plain(result):
    """Predictions as JSON."""
    if hasattr(result, "to_json"):
        return json.loads(result.to_json(orient="records", date_format="iso"))
    return np.asarray(result).tolist() if hasattr(result, "tolist") else result

"""Score the diabetes model: JSON rows of ten features in, one number a row out."""

import os

import joblib
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema

SAMPLE_INPUT = np.array([[0.04, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, 0.0, 0.02, -0.02]])
SAMPLE_OUTPUT = np.array([206.1])

model = None


def init():
    global model
    model = joblib.load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "sklearn_regression_model.pkl"))


@input_schema("data", NumpyParameterType(SAMPLE_INPUT))
@output_schema(NumpyParameterType(SAMPLE_OUTPUT))
def run(data):
    return model.predict(data).tolist()

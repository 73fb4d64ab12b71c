"""Read a handwritten digit: the raw bytes of an image in, its label and the ten probabilities out."""

import io
import json
import os

import numpy as np
import onnxruntime
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from PIL import Image, UnidentifiedImageError

session = None
labels = []


def init():
    global session, labels
    folder = os.path.join(os.environ["AZUREML_MODEL_DIR"], "digits")
    session = onnxruntime.InferenceSession(os.path.join(folder, "digits.onnx"))
    with open(os.path.join(folder, "labels.json")) as file:
        labels = json.load(file)


@rawhttp
def run(request: AMLRequest):
    if request.method != "POST":
        return AMLResponse({"error": "send the bytes of a PNG or JPEG with POST"}, 405, json_str=True)
    try:
        image = Image.open(io.BytesIO(request.get_data(False))).convert("L").resize((8, 8))
    except UnidentifiedImageError:
        return AMLResponse({"error": "the body is not an image"}, 400, json_str=True)
    pixels = np.asarray(image, dtype=np.float32).reshape(1, 64) * 16 / 255
    probabilities = session.run(None, {"pixels": pixels})[1][0]
    answer = {
        "label": labels[int(probabilities.argmax())],
        "probabilities": {label: round(float(p), 6) for label, p in zip(labels, probabilities)},
    }
    return AMLResponse(answer, 200, json_str=True)

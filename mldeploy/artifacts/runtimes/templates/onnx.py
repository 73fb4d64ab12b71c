"""Scores with an ONNX model. One input takes rows; several take columns by name, or {"inputs": {name: values}}."""

import numpy as np
import onnxruntime
import payload
from azureml.core.model import Model

MODEL = "@MODEL@"
TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


def init():
    global session, inputs, outputs
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        Model.get_model_path(MODEL), options, providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    outputs = [one.name for one in session.get_outputs()]


@payload.answering
def run(data):
    table, asked = payload.read(data)
    given = asked.get("inputs")
    if isinstance(given, dict) and set(given) == {one.name for one in inputs}:
        feeds = {one.name: tensor(one, given[one.name]) for one in inputs}
    elif len(inputs) == 1:
        width = inputs[0].shape[1] if len(inputs[0].shape) == 2 else None
        feeds = {
            inputs[0].name: tensor(inputs[0], table.arranged(None, width if isinstance(width, int) else None))
        }
    else:
        rows = table.arranged([one.name for one in inputs], len(inputs))
        feeds = {one.name: tensor(one, [[row[place]] for row in rows]) for place, one in enumerate(inputs)}
    found = session.run(None, feeds)
    plain = {name: simple(value) for name, value in zip(outputs, found)}
    return {"predictions": next(iter(plain.values())) if len(plain) == 1 else plain}


def tensor(wanted, values):
    """Values as the array that an input takes."""
    kind = TYPES.get(wanted.type)
    if kind is None:
        raise payload.BadRequest(f"input {wanted.name!r} is a {wanted.type}, which JSON has no values for")
    try:
        array = np.array(values, dtype=kind)
    except (TypeError, ValueError) as problem:
        raise payload.BadRequest(f"input {wanted.name!r} takes {wanted.type}: {problem}") from None
    free = [size if isinstance(size, int) else None for size in wanted.shape]
    if len(array.shape) != len(free) or any(
        size not in (None, have) for size, have in zip(free, array.shape)
    ):
        shown = " x ".join("any" if size is None else str(size) for size in free)
        raise payload.BadRequest(
            f"input {wanted.name!r} takes {shown} values, not {' x '.join(map(str, array.shape))}"
        )
    return array


def simple(value):
    """An output as JSON: arrays, and the sequences of mappings that classifiers of scikit-learn become."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): simple(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [simple(one) for one in value]
    return value

"""Train the sample models and write their golden requests. The same package versions give the same files.

    python models/train.py            # both models
    python models/train.py --alpha 2  # another diabetes model, to see a new version roll out

Data: scikit-learn's own `load_diabetes` (442 patients, 10 standardised features, disease progression one year after
baseline) and `load_digits` (1,797 handwritten digits, 8 x 8 pixels, 16 grey levels).
"""

from __future__ import annotations

import argparse
import base64
import json
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
from PIL import Image
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "golden"


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def train_diabetes(alpha: float) -> None:
    """Ridge regression; the golden answer is the model's own prediction."""
    data = load_diabetes()
    train_x, test_x, train_y, test_y = train_test_split(data.data, data.target, test_size=0.2, random_state=0)
    model = Ridge(alpha=alpha).fit(train_x, train_y)
    joblib.dump(model, ROOT / "models/diabetes/sklearn_regression_model.pkl")
    write_json(GOLDEN / "diabetes.json", {"data": test_x[:3].tolist()})
    write_json(GOLDEN / "diabetes.expected.json", model.predict(test_x[:3]).tolist())
    print(f"diabetes: R2 on held-out data {model.score(test_x, test_y):.3f} (alpha {alpha})")


def png(pixels: np.ndarray) -> bytes:
    """An 8 x 8 array of 0..16 as an 8-bit greyscale PNG."""
    stream = BytesIO()
    Image.fromarray((pixels * 255 / 16).round().astype(np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


def train_digits() -> None:
    """Scaled logistic regression, exported to ONNX; the golden request is one PNG of the held-out set."""
    data = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        data.images.reshape(-1, 64), data.target, test_size=0.2, random_state=0
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train_x, train_y)
    onnx = to_onnx(
        model,
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        options={"zipmap": False},
        target_opset=17,
    )
    (ROOT / "models/digits/digits.onnx").write_bytes(onnx.SerializeToString())
    write_json(ROOT / "models/digits/labels.json", [str(label) for label in range(10)])
    image = png(test_x[0].reshape(8, 8))
    (GOLDEN / "digit.png").write_bytes(image)
    expected = model.predict_proba(
        (np.asarray(Image.open(BytesIO(image)), dtype=np.float32) * 16 / 255).reshape(1, 64)
    )[0]
    write_json(
        GOLDEN / "digit.expected.json",
        {
            "label": str(int(expected.argmax())),
            "probabilities": {str(i): round(float(p), 6) for i, p in enumerate(expected)},
        },
    )
    print(f"digits: accuracy on held-out data {model.score(test_x, test_y):.3f}; sample is a {test_y[0]}")
    print(f"        data:image/png;base64,{base64.b64encode(image).decode()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--alpha", type=float, default=0.5, help="regularisation of the diabetes model")
    parser.add_argument("--only", choices=["diabetes", "digits"])
    args = parser.parse_args()
    if args.only != "digits":
        train_diabetes(args.alpha)
    if args.only != "diabetes":
        train_digits()


if __name__ == "__main__":
    main()

"""Entry scripts of the kinds that people wrote for v1's ParallelRunStep, as they are; more are in test_batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving.batch_job import Job

SCRIPTS = {
    "images to lines": (
        """
        import os
        import numpy as np
        from azureml.core import Model

        def init():
            global offset
            model_dir = Model.get_model_path("mnist")
            offset = int(open(os.path.join(model_dir, "offset.txt")).read())

        def run(mini_batch):
            print(f'run method start: {__file__}, run({mini_batch})')
            resultList = []
            for image in mini_batch:
                np_im = np.array([ord(c) for c in open(image).read().strip()]).reshape(1, -1)
                best_result = int(np_im.sum()) + offset
                resultList.append("{}: {}".format(os.path.basename(image), best_result))
            return resultList
        """,
        {"a.png": "A", "b.png": "B"},
        ("--model-dir", "model"),
        (),
        ["a.png: 66", "b.png: 67"],
    ),
    "a table to a table, with arguments": (
        """
        import io, argparse, os
        import pandas as pd
        from azureml.core.model import Model

        def init():
            global iris_model
            parser = argparse.ArgumentParser(description="Iris model serving")
            parser.add_argument('--model_name', dest="model_name", required=True)
            args, unknown_args = parser.parse_known_args()
            model_path = Model.get_model_path(args.model_name)
            iris_model = int(open(os.path.join(model_path, "offset.txt")).read())

        def run(input_data):
            num_rows, num_cols = input_data.shape
            pred = (input_data["x"] + iris_model).tolist()
            result = input_data.drop(columns=["y"])
            result['variety'] = pred
            return result
        """,
        {"a.csv": "x,y\\n1,0\\n2,0\\n", "b.csv": "x,y\\n3,0\\n"},
        ("--model-dir", "model", "--style", "tabular"),
        ("--model_name", "mnist", "--other", "1"),
        ["1,2", "2,3", "3,4"],
    ),
    "a file of each group, as in many models": (
        """
        import datetime, os
        import pandas as pd
        from azureml.core import Run
        from azureml_user.parallel_run import EntryScript

        current_run = None

        def init():
            global current_run
            current_run = Run.get_context()
            EntryScript().logger.info("init")

        def run(input_data):
            logger = EntryScript().logger
            all_predictions = pd.DataFrame()
            for idx, file_path in enumerate(input_data):
                date1 = datetime.datetime.now()
                file_name = os.path.basename(file_path)[:-4]
                data = pd.read_csv(file_path)
                data["Predicted"] = data["x"].shift(fill_value=0)
                data["Store"] = file_name
                current_run.log(file_name, len(data))
                all_predictions = pd.concat([all_predictions, data])
                logger.info(f"{file_name} took {datetime.datetime.now() - date1}")
            return all_predictions
        """,
        {"dominicks_1.csv": "x\\n1\\n", "dominicks_2.csv": "x\\n3\\n"},
        (),
        (),
        ["1,0,dominicks_1", "3,0,dominicks_2"],
    ),
    "files to files": (
        """
        import argparse, os, shutil

        def init():
            global output_folder
            parser = argparse.ArgumentParser(allow_abbrev=False)
            parser.add_argument("--output_folder", type=str)
            args, _ = parser.parse_known_args()
            output_folder = args.output_folder or os.environ["AZUREML_BI_OUTPUT_PATH"]
            os.makedirs(output_folder, exist_ok=True)

        def run(mini_batch):
            done = []
            for path in mini_batch:
                target = os.path.join(output_folder, os.path.basename(path).upper())
                shutil.copy(path, target)
                done.append(os.path.basename(target))
            return done
        """,
        {"a.txt": "1", "b.txt": "2"},
        (),
        (),
        ["A.TXT", "B.TXT"],
    ),
    "rows by name": (
        """
        import json
        import pandas as pd

        class Scorer:
            def predict_proba(self, X):
                return [[1 - x / 10, x / 10] for x in X["x"]]

        def init():
            global model
            model = Scorer()

        def run(mini_batch: pd.DataFrame) -> list:
            results = []
            for row, scores in zip(mini_batch.to_dict("records"), model.predict_proba(mini_batch)):
                results.append({"id": row["id"], "score": scores[1]})
            return results
        """,
        {"a.jsonl": '{"id": "p", "x": 1}\\n{"id": "q", "x": 5}\\n'},
        (),
        (),
        ['{"id": "p", "score": 0.1}', '{"id": "q", "score": 0.5}'],
    ),
    "arrays, with a helper beside the script": (
        """
        import numpy as np
        from helpers import load

        def init():
            global weights
            weights = np.array([1.0, 2.0])

        def run(mini_batch):
            return np.array([load(path) @ weights for path in mini_batch])

        def shutdown():
            print("all done")
        """,
        {"a.txt": "1 2", "b.txt": "3 4"},
        (),
        (),
        ["5.0", "11.0"],
    ),
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_it_runs_unchanged(tmp_path: Path, kind: str) -> None:
    script, files, options, arguments, rows = SCRIPTS[kind]
    job = Job(tmp_path)
    job.script(script)
    (tmp_path / "helpers.py").write_text(
        "import numpy as np\n\ndef load(path): return np.array(open(path).read().split(), dtype=float)\n"
    )
    (tmp_path / "azureml-models/mnist/1/model").mkdir(parents=True)
    (tmp_path / "azureml-models/mnist/1/model/offset.txt").write_text("1")
    job.files(**{name: text.replace("\\n", "\n") for name, text in files.items()})
    given = [str(tmp_path / "azureml-models/mnist/1") if one == "model" else one for one in options]
    job(*given, "--", *arguments)
    assert job.rows() == rows
    assert job.summary()["failed"] == 0

"""HCN on real skeletons: PRECOG 2016, beside a support vector machine.

    python -m results.studies.precog_hcn --seeds 5    # trains what is not trained yet

The set must have been prepared, as `configs/precog_hcn.py` says. The machine reads 20
frames of each clip, spread over it, less the hip's centre in each, standardised; its
kernel is Gaussian, its cost the best of three, by the test clips themselves, which
favours it.
"""

from typing import Any

import numpy as np
from scipy import linalg
from scipy.spatial import distance

from jaxact.config import load_experiment
from jaxact.report.predictions import Predictions
from results.studies import nagoya
from results.study import Study, main

CONFIG = "configs/precog_hcn.py"
SVM, FRAMES, HIP = "SVM", 20, 0
COSTS = (0.1, 1.0, 10.0)


def of_svm() -> Predictions:
    """Returns the predictions of the best support vector machine for the test clips."""
    dataset, inputs = features()
    train, test = (dataset.rows("manifest", split) for split in ("train", "test"))
    label = dataset.index["label"]
    inputs = (inputs - inputs[train].mean(0)) / (inputs[train].std(0) + 1e-6)
    near, far = (
        np.exp(
            -distance.cdist(inputs[rows], inputs[train], "sqeuclidean") / inputs[0].size
        )
        for rows in (train, test)
    )
    # Vectors whose products are the kernel: a linear machine of them is the kernel's.
    root = linalg.cholesky(near + 1e-6 * np.eye(len(near)), lower=True)
    mapped = linalg.solve_triangular(root, far.T, lower=True).T
    scores = [mapped @ nagoya.svm(root, label[train], cost).T for cost in COSTS]
    best = max(scores, key=lambda one: (one.argmax(1) == label[test]).mean())
    names = np.array(dataset.names)[test]
    classes = np.array(dataset.classes)
    return Predictions(SVM, test, names, label[test], best, classes, {})


def features() -> tuple[Any, np.ndarray]:
    """Returns the prepared set, and what the machine reads of each clip, [N d]."""
    from input_pipeline import records
    from input_pipeline.dataset import PreparedDataset
    from input_pipeline.reading import RecordReader

    dataset = PreparedDataset.open(load_experiment(CONFIG).data.dir, "precog")
    reader, found = RecordReader(dataset), []
    for row in range(len(dataset)):
        points = records.decode(reader(row).numpy()).skeleton("skeleton").points[0]
        ticks = ((np.arange(FRAMES) + 0.5) * len(points) / FRAMES).astype(int)
        found.append((points[ticks] - points[ticks][:, [HIP]]).ravel())
    return dataset, np.array(found, float)


STUDY = Study(
    name="precog_hcn",
    config=CONFIG,
    rows={"HCN": ("", {})},
    beside={SVM: of_svm},
    recipe={"train.eval_every": 0.0},  # only at the end
    against=SVM,
)

if __name__ == "__main__":
    main(STUDY)

"""What a trained STAFusion's frames know of the actor, and what could tell its scorer.

    python -m results.frame_evidence --row ROW --folder RUN

A row of `synthetic_intruding_tuning` and the folder in which it was trained. In half of
each stream's moments an intruder stands in the actor's place; a scorer should tell. On
training clips, and without any training of the network, it prints by stream:

1. whether frames' features, which the scorer reads, hold the answer: the area under the
   curve (AUC) of a linear probe that is given the truth, tested on other clips;
2. what the scorer made of it: its own AUC;
3. whether the student's loss could teach it: by how much the loss of a clip changes
   with each frame of the actor more among those kept, over random choices;
4. whether single frames could: the AUC of the label's log-probability under a linear
   head on frames that the backbone saw alone, less the clip's mean; and the same of a
   head on the features that have seen the whole clip.
"""

import argparse
import pathlib
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

from jaxact.layers.selection import FrameScorer
from jaxact.models.streams import in_time
from jaxact.run import predictor
from results.studies import synthetic_intruding_tuning as tuned

CHOICES = 8  # random choices of frames a clip
CLIPS = 384  # of which their loss is looked at
DECAY = 1e-4


def auc(values: np.ndarray, positive: np.ndarray) -> float:
    """Returns the chance that a positive one has a larger value than a negative one."""
    ranks = scipy.stats.rankdata(values.ravel())[positive.ravel()]
    number = len(ranks)
    pairs = number * (positive.size - number)
    return float((ranks.sum() - number * (number + 1) / 2) / pairs)


def linear(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fits a linear softmax on standardised ``[n d]``; returns its weights [1+d y]."""
    x = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    classes = int(labels.max()) + 1
    wanted = np.eye(classes)[labels]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(-1, classes)
        log_p = scipy.special.log_softmax(x @ weights, axis=1)
        value = -(wanted * log_p).sum() / len(x) + DECAY * np.square(weights).sum()
        slope = x.T @ (np.exp(log_p) - wanted) / len(x) + 2 * DECAY * weights
        return value, slope.ravel()

    start = np.zeros(x.shape[1] * classes)
    found = scipy.optimize.minimize(loss, start, jac=True, options={"maxiter": 100})
    return found.x.reshape(-1, classes)


def log_chances(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the log-probabilities ``[n y]`` under what `linear` fitted."""
    return scipy.special.log_softmax(features @ weights[1:] + weights[0], axis=1)


def look(row: str, folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns what the network says of training clips, by name, clips first."""
    from input_pipeline import pipeline
    from jaxact.checkpoints.files import find
    from jaxact.run.session import open_evaluation

    (network,) = tuned.STUDY.networks(row)
    spec = tuned.STUDY.experiment(network, 0)
    spec.eval.split = "train"
    opened = open_evaluation(spec, pipeline)
    run, step = find(folder)
    variables = predictor.restore_weights(run, step, opened.network, spec)
    module = opened.network.module
    streams = opened.network.inputs

    @jax.jit
    def seen(batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        out = module.apply(variables, batch)
        alone = module.apply(
            variables, batch, method=lambda m, x: m.branches(x, alone=True)["tokens"]
        )
        return {
            "mixed": out["teacher_patches"].mean(axis=2),
            "scores": out["frame_scores"],
            "alone": in_time(alone),
        }

    @jax.jit
    def chosen_at_random(batch: dict[str, jax.Array], key: jax.Array) -> Any:
        def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            own = call(*args, **kwargs)
            if not isinstance(context.module, FrameScorer):
                return own
            return jax.random.uniform(key, own.shape)

        with nn.intercept_methods(intercept):
            out = module.apply(variables, batch)
        return jax.nn.log_softmax(out["logits"]), out["frame_marks"] > 0

    found: dict[str, list[np.ndarray]] = {}
    for number, given in enumerate(opened.eval_batches()):
        batch = {name: np.asarray(x) for name, x in given.items()}
        real, videos = batch["mask"], {name: batch[name] for name in streams}
        parts: dict[str, Any] = dict(seen(videos))
        if (number + 1) * len(real) <= CLIPS:
            keys = jax.random.split(jax.random.key(number), CHOICES)
            each = [chosen_at_random(videos, key) for key in keys]
            at_label = np.arange(len(real)), batch["label"]
            parts["loss"] = np.stack([-np.asarray(p)[at_label] for p, _ in each], 1)
            kept = np.stack([np.asarray(k) for _, k in each], axis=1)
            parts["actors"] = (kept & batch["actor_visible"][:, None]).sum(axis=2)
        parts |= {"visible": batch["actor_visible"], "label": batch["label"]}
        for name, x in parts.items():
            found.setdefault(name, []).append(np.asarray(x)[real])
    return {name: np.concatenate(x) for name, x in found.items()}


def report(found: dict[str, np.ndarray]) -> list[str]:
    """Returns the lines of what was found."""
    times = found["visible"].shape[1] // 2
    lines = []
    for index, stream in enumerate(("rgb", "ir")):
        part = slice(index * times, (index + 1) * times)
        visible, labels = found["visible"][:, part], np.repeat(found["label"], times)
        values = {"scorer": auc(found["scores"][:, part], visible)}
        for name in ("mixed", "alone"):
            x = found[name][:, part]
            x = (x - x.mean((0, 1))) / x.std((0, 1))
            flat = x.reshape(-1, x.shape[-1])
            if name == "mixed":
                half = len(flat) // 2
                told = linear(flat[:half], visible.ravel()[:half].astype(int))
                probe = log_chances(flat[half:], told)[:, 1]
                values["probe"] = auc(probe, visible.ravel()[half:])
            chances = log_chances(flat, linear(flat, labels))
            at_label = chances[np.arange(len(labels)), labels].reshape(-1, times)
            less = at_label - at_label.mean(axis=1, keepdims=True)
            values[f"label by {name} frames"] = auc(less, visible)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        lines.append(f"{stream}: AUC of the actor's frames: {shown}")
    loss, actors = found["loss"], found["actors"].astype(float)
    loss = loss - loss.mean(axis=1, keepdims=True)
    actors = actors - actors.mean(axis=1, keepdims=True)
    slope = (loss * actors).sum() / np.square(actors).sum()
    lines.append(
        f"a frame of the actor more among those kept changes a clip's loss by "
        f"{slope:+.4f} (other choices: +-{loss.std():.3f}; {len(loss)} clips)"
    )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--row", required=True)
    parser.add_argument("--folder", required=True, type=pathlib.Path)
    args = parser.parse_args()
    print("\n".join(report(look(args.row, args.folder))))


if __name__ == "__main__":
    main()

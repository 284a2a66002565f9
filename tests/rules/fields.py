"""What the tests of fields share: another value of a field, and a model's program."""

import re
import typing
from typing import Any

import jax
import numpy as np

from jaxact.batch import PROGRESS, example_batch
from jaxact.config import Experiment, annotations, keys_that_may_differ, leaves
from jaxact.state import rngs_at
from jaxact.strict import part_name, parts_of


def other(config: Any, name: str) -> Any:
    """Returns another value of a field."""
    value, kind = getattr(config, name), annotations(config)[name]
    if parts := parts_of(config, name):
        return next(part for part in parts if part != part_name(config, name))
    if typing.get_origin(kind) is typing.Literal:
        return next(x for x in typing.get_args(kind) if x != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value * 2 or 4
    if isinstance(value, float):
        return value / 2 or 0.25
    raise AssertionError(f"Say here what {name} may be besides {value!r}.")


def fields_of(config: Any) -> list[str]:
    """Returns the fields on which a number may depend."""
    local = keys_that_may_differ(config, "processes")
    return [key for key, _ in leaves(config) if key not in local]


def program_of(model: Any) -> str:
    """Returns a model's initialisation and training loss, as text."""
    module, losses = model.build(), model.losses()
    batch = example_batch(Experiment("x", model, None), 2)

    def everything(key: jax.Array, batch: Any) -> Any:
        rngs = rngs_at(key, 0)
        variables = module.init({"params": key, **rngs}, batch, train=False)
        out, updated = module.apply(
            variables,
            batch | {PROGRESS: 0.5},
            train=True,
            rngs=rngs,
            mutable=["batch_stats"],
        )
        loss = sum(loss.weight * loss(out, batch).sum() for loss in losses)
        return variables, loss, updated

    program = jax.make_jaxpr(everything)(jax.random.key(0), batch)
    # Constants are no part of a program's own text.
    text = f"{program} {[np.asarray(x).tolist() for x in program.consts]}"
    return re.sub(r"0x[0-9a-f]+", "", text)  # where functions lie in memory

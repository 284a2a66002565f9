"""The authors' recipes: each value can be set, each part is one of the network's."""

import pytest

from configs import infar, recipes
from jaxact.config import ConfigError, leaves
from jaxact.devices import distributed
from jaxact.run import checks, mixing, optim, parts
from jaxact.run.network import make_network

# Of a second each; all of them take long.
SHORT = ("tanet", "video_swin")


@pytest.mark.parametrize(
    "net",
    [
        pytest.param(net, marks=[] if net in SHORT else [pytest.mark.long])
        for net in recipes.RECIPES
    ],
)
def test_a_recipe_is_one_that_can_be_trained(net):
    experiment = infar.get_config(f"net={net},size=small,recipe=own")
    network = make_network(experiment.model, distributed.make_mesh())
    params, spec = network.abstract["params"], experiment.optim
    parts.rates(params, spec)
    if spec.layer_decay < 1:
        optim.layer_scales(params, spec.layer_decay)
    peak = optim.learning_rate(spec, experiment.train.batch_size)
    optim.make_schedule(experiment.schedule, peak, 10.0, 10 * 1000)
    mixing.Teaching(experiment.mix, network.inputs, experiment.model.num_classes)
    checks.check_batch(experiment.train, network.mesh)
    assert experiment.train.batch_size % experiment.data.repeats == 0


@pytest.mark.parametrize("net", recipes.RECIPES)
def test_a_recipe_changes_what_it_says(net):
    own = infar.get_config(f"net={net},size=small,recipe=own")
    plain = infar.get_config(f"net={net},size=small")
    assert own.name == f"{plain.name}_own_recipe"
    values, before = dict(leaves(own)), dict(leaves(plain))
    changed = {key for key in values if values[key] != before[key]} - {"name"}
    assert changed and changed <= recipes.RECIPES[net].keys()


def test_a_network_without_a_recipe_is_refused_with_those_that_have_one():
    with pytest.raises(ConfigError, match="no recipe=own of net=i3d.*tsm, slowfast"):
        infar.get_config("net=i3d,recipe=own")

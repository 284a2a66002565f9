"""All fusions by name, and the config of each: the fields of its module."""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn

from jaxact.layers.fusions.attending import CrossAttention
from jaxact.layers.fusions.bottleneck import Bottleneck
from jaxact.layers.fusions.confident import PDF, QMF
from jaxact.layers.fusions.dynamic import DynMM
from jaxact.layers.fusions.evidential import ETMC, TMC
from jaxact.layers.fusions.exchanging import DSFM, MMTM
from jaxact.layers.fusions.gated import Gated
from jaxact.layers.fusions.plain import Add, Average, Concat
from jaxact.layers.fusions.rebuilding import ActionMAE
from jaxact.strict import Config


@dataclasses.dataclass
class FusionConfig(Config):
    """The fields of one fusion, nested in the config of a model."""

    module: ClassVar[Any]

    def build(self) -> Any:
        """Returns the fusion's module."""
        names = [field.name for field in dataclasses.fields(self)]
        return self.module(**{name: getattr(self, name) for name in names})


def config_of(module: type[nn.Module]) -> type[FusionConfig]:
    """Returns the config class of a fusion: its module's fields and their defaults."""
    fields = [
        (field.name, field.type, dataclasses.field(default=field.default))
        for field in dataclasses.fields(module)
        if field.name not in ("parent", "name")  # every Flax module has these
    ]
    return dataclasses.make_dataclass(
        f"{module.__name__}Config",
        fields,
        bases=(FusionConfig,),
        namespace={"module": module, "__doc__": module.__doc__},
    )


FUSIONS: dict[str, type[FusionConfig]] = {
    name: config_of(module)
    for name, module in {
        "add": Add,
        "concat": Concat,
        "average": Average,
        "gated": Gated,
        "cross_attention": CrossAttention,
        "bottleneck": Bottleneck,
        "actionmae": ActionMAE,
        "tmc": TMC,
        "etmc": ETMC,
        "qmf": QMF,
        "pdf": PDF,
        "dynmm": DynMM,
        "mmtm": MMTM,
        "dsfm": DSFM,
    }.items()
}

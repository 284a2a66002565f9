"""What the makers of golden files share: libraries that need a hand, random weights.

Needs torch 2.13 (CPU), mmaction2 1.2.0, mmcv-lite 2.1.0, mmengine and torchvision
0.28.0, the last four installed with ``pip install --no-deps``.
"""

import contextlib
import importlib.machinery
import sys
import types

import numpy as np
import torch

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor i, Tensor r, float s, SymInt h, SymInt w, int n, bool a) "
    "-> Tensor",
    "qroi_align(Tensor i, Tensor r, float s, int h, int w, int n, bool a) -> Tensor",
    "roi_pool(Tensor i, Tensor r, float s, SymInt h, SymInt w) -> (Tensor, Tensor)",
    "ps_roi_align(Tensor i, Tensor r, float s, SymInt h, SymInt w, int n) "
    "-> (Tensor, Tensor)",
    "ps_roi_pool(Tensor i, Tensor r, float s, SymInt h, SymInt w) -> (Tensor, Tensor)",
    "deform_conv2d(Tensor i, Tensor w, Tensor o, Tensor m, Tensor b, SymInt sh, "
    "SymInt sw, SymInt ph, SymInt pw, SymInt dh, SymInt dw, SymInt g, SymInt og, "
    "bool u) -> Tensor",
    "_roi_align_backward(Tensor g, Tensor r, float s, SymInt h, SymInt w, SymInt b, "
    "SymInt c, SymInt y, SymInt x, int n, bool a) -> Tensor",
    "_roi_pool_backward(Tensor g, Tensor r, Tensor m, float s, SymInt h, SymInt w, "
    "SymInt b, SymInt c, SymInt y, SymInt x) -> Tensor",
    "_ps_roi_align_backward(Tensor g, Tensor r, Tensor m, float s, SymInt h, SymInt w, "
    "int n, SymInt b, SymInt c, SymInt y, SymInt x) -> Tensor",
    "_ps_roi_pool_backward(Tensor g, Tensor r, Tensor m, float s, SymInt h, SymInt w, "
    "SymInt b, SymInt c, SymInt y, SymInt x) -> Tensor",
    "_deform_conv2d_backward(Tensor g, Tensor i, Tensor w, Tensor o, Tensor m, "
    "Tensor b, SymInt sh, SymInt sw, SymInt ph, SymInt pw, SymInt dh, SymInt dw, "
    "SymInt gr, SymInt og, bool u) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
_LIBRARY: list[torch.library.Library] = []


def torchvision_models():
    """Imports torchvision.models, also beside a torch without its operators."""
    with contextlib.suppress(RuntimeError):  # "operator does not exist"
        import torchvision.models as models

        return models
    if not _LIBRARY:
        library = torch.library.Library("torchvision", "DEF")
        for schema in _OPERATORS:
            library.define(schema)
        _LIBRARY.append(library)
    import torchvision.models as models

    return models


def mmaction():
    """Imports mmaction's models; stands in for what the wheel of 1.2.0 lacks."""
    torchvision_models()
    for name in (
        "mmaction.models.localizers.drn",
        "mmaction.models.localizers.drn.drn",
        "mmaction.models.multimodal",
    ):
        stand_in = types.ModuleType(name)
        stand_in.__path__ = []
        stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None)
        stand_in.DRN = stand_in.__all__ = type("DRN", (), {}) if "drn" in name else []
        if "multimodal" in name:
            stand_in.__all__ = []
        sys.modules[name] = stand_in
    import mmaction.models as models
    from mmengine.registry import init_default_scope

    init_default_scope("mmaction")
    return models


def randomize(module: torch.nn.Module, seed: int, std: float = 0.2) -> None:
    """Gives every parameter and statistic a random value: none is 0, none is 1.

    Scales are 1 on the average, variances between a half and two; the others have this
    standard deviation, or .7 over the square root of their fan-in if that is more. All
    are numbers of half precision, so that a golden file holds them in half the bytes.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=generator)
            if name.endswith("running_var"):
                noise = torch.exp(0.3 * noise)
            elif value.ndim == 1 and name.endswith("weight"):
                noise = 1.0 + std * noise
            elif value.ndim < 2:
                noise = std * noise
            else:
                noise = noise * max(std, 0.7 * value[0].numel() ** -0.5)
            value.copy_(noise.half().float())


def arrays(module: torch.nn.Module, prefix: str = "") -> dict[str, np.ndarray]:
    """Returns the floating-point state as half-precision arrays under these names."""
    return {
        prefix + name: value.detach().numpy().astype(np.float16)
        for name, value in module.state_dict().items()
        if value.is_floating_point()
    }

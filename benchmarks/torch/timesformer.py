"""TimeSformer-B with ten layers: Hugging Face's model."""

import torch
import transformers
from safetensors.torch import save_file

ABOUT = f"transformers {transformers.__version__}"


class Net(torch.nn.Module):
    """Video [b t c h w] to logits [b y]."""

    def __init__(self, frames: int, size: int, classes: int) -> None:
        super().__init__()
        config = transformers.TimesformerConfig(
            num_hidden_layers=10,
            num_frames=frames,
            image_size=size,
            num_labels=classes,
        )
        self.net = transformers.TimesformerForVideoClassification(config)
        with torch.no_grad():
            for name, value in self.net.named_parameters():
                is_scale = "norm" in name and name.endswith("weight")
                value.copy_(torch.randn(value.shape) * 0.02 + float(is_scale))

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        return self.net(video).logits

    def write(self, folder: str) -> None:
        """Writes the weights as Hugging Face does."""
        save_file(self.net.state_dict(), f"{folder}/weights.safetensors")

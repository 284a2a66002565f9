"""Makes the golden files of TimeSformer and ViT: tiny random models of other libraries.

Needs torch, transformers and timm, which the project itself does not; the tests read
only what this script wrote:

    python tests/golden/make_timesformer.py

All sizes differ from one another, and every parameter is random, also those that the
libraries start at zero, so that no weight can be lost or turned without notice.
"""

import pathlib
import tempfile

import numpy as np
import timm
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
SIZES = dict(
    hidden_size=21,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=63,
    image_size=20,
    patch_size=5,
    layer_norm_eps=1e-6,
)
FRAMES, CLASSES, BATCH = 5, 11, 2

# Hugging Face names to those of the original code, as its conversion script has them.
ORIGINAL = (
    ("timesformer.encoder.layer.", "blocks."),
    ("timesformer.embeddings.cls_token", "cls_token"),
    ("timesformer.embeddings.position_embeddings", "pos_embed"),
    ("timesformer.embeddings.time_embeddings", "time_embed"),
    ("timesformer.embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("timesformer.layernorm", "norm"),
    ("classifier", "head"),
    ("temporal_layernorm", "temporal_norm1"),
    ("temporal_attention.attention.qkv", "temporal_attn.qkv"),
    ("temporal_attention.output.dense", "temporal_attn.proj"),
    ("temporal_dense", "temporal_fc"),
    ("attention.attention.qkv", "attn.qkv"),
    ("attention.output.dense", "attn.proj"),
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
)


def randomize(model: torch.nn.Module) -> None:
    """Fills all parameters: scales of norms around 1, everything else around 0."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            is_scale = "norm" in name and name.endswith("weight")
            value.copy_(torch.randn(value.shape) * 0.2 + float(is_scale))


def original_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    renamed = {}
    for name, value in state.items():
        for old, new in ORIGINAL:
            name = name.replace(old, new)
        renamed[f"model.{name}"] = value
    return renamed


def make_timesformer() -> None:
    config = transformers.TimesformerConfig(
        **SIZES, num_frames=FRAMES, num_labels=CLASSES
    )
    config._attn_implementation = "eager"
    model = transformers.TimesformerForVideoClassification(config).eval()
    randomize(model)
    side = SIZES["image_size"]
    video = torch.randn(BATCH, FRAMES, 3, side, side)
    with torch.no_grad():
        out = model(video, output_hidden_states=True, output_attentions=True)
        last = model.timesformer(video).last_hidden_state
    patches = last[:, 1:].unflatten(1, (-1, FRAMES)).transpose(1, 2)
    np.savez_compressed(
        HERE / "timesformer_tiny.npz",
        video=video.permute(0, 1, 3, 4, 2).numpy(),
        logits=out.logits.numpy(),
        token=last[:, 0].numpy(),
        patches=patches.numpy(),
        attention=out.attentions[-1].unflatten(0, (BATCH, FRAMES)).numpy(),
    )
    state = model.state_dict()
    save_file(state, HERE / "timesformer_tiny.safetensors")
    checkpoint = {
        "epoch": 14,
        "model_state": original_names(state),
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.ones(3)}}},
        "cfg": "MODEL:\n  NUM_CLASSES: 11\n",
    }
    torch.save(checkpoint, HERE / "timesformer_tiny.pyth")


def make_vit() -> None:
    image = torch.randn(BATCH, 3, SIZES["image_size"], SIZES["image_size"])
    vit = timm.models.VisionTransformer(
        img_size=SIZES["image_size"],
        patch_size=SIZES["patch_size"],
        embed_dim=SIZES["hidden_size"],
        depth=SIZES["num_hidden_layers"],
        num_heads=SIZES["num_attention_heads"],
        mlp_ratio=SIZES["intermediate_size"] / SIZES["hidden_size"],
        num_classes=CLASSES,
    ).eval()
    hf = transformers.ViTForImageClassification(
        transformers.ViTConfig(**SIZES, num_labels=CLASSES)
    ).eval()
    randomize(vit)
    randomize(hf)
    with torch.no_grad():
        tokens = vit.forward_features(image)
        hf_tokens = hf.vit(image).last_hidden_state
    np.savez_compressed(
        HERE / "vit_tiny.npz",
        image=image.permute(0, 2, 3, 1).numpy(),
        timm=tokens.numpy(),
        hf=hf_tokens.numpy(),
    )
    # The format of torch before 1.6, in which timm's ViT weights were published.
    torch.save(
        vit.state_dict(), HERE / "vit_timm.pth", _use_new_zipfile_serialization=False
    )
    save_file(hf.state_dict(), HERE / "vit_hf5.safetensors")
    with tempfile.TemporaryDirectory() as folder:  # the names files are saved under
        hf.save_pretrained(folder)
        public = load_file(pathlib.Path(folder) / "model.safetensors")
    save_file(public, HERE / "vit_hf.safetensors")


def make_odd_tensors() -> None:
    """Tensors a reader of torch files can get wrong."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = {
        "turned": base.permute(2, 0, 1),
        "part": base[:, 1:, ::2],
        "parameter": torch.nn.Parameter(base[0]),
        "half": base.half() / 7,
        "bfloat16": base.bfloat16() / 7,
        "int64": torch.tensor(-(2**40)),
        "bool": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 3),
        "float64": torch.linspace(0, 1, 5, dtype=torch.float64),
    }
    torch.save({"state_dict": state, "best": np.float64(0.5)}, HERE / "odd_zip.pt")
    torch.save(state, HERE / "odd_legacy.pt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    torch.manual_seed(0)
    make_timesformer()
    make_vit()
    make_odd_tensors()

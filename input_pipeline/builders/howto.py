"""How each data set is got and prepared: the text of "not prepared" errors.

No TensorFlow here, so that the error reaches machines that only have a config.
"""

from pathlib import Path

_NTU = (
    "{title} cannot be downloaded by a program: fill in the request form of the ROSE "
    "Lab (https://rose1.ntu.edu.sg/dataset/actionRecognition/, an academic e-mail "
    "address is needed) and, once it is granted, download three families of zip files "
    "from its download page: the RGB videos ({rgb}), the IR videos ({ir}) and the 3D "
    "skeletons ({skeletons}); depth maps are not needed. Unzip all of them into one "
    "folder, RAW, so that it holds RAW/nturgb+d_rgb/*_rgb.avi, "
    "RAW/nturgb+d_ir/*_ir.avi and RAW/nturgb+d_skeletons/*.skeleton (they are also "
    "found in folders further below). A stream you do not have is left out by "
    "--streams, for example --streams rgb,ir. Then run: "
    "python -m input_pipeline.prepare {name} --raw RAW --out {out}"
)

_TEXTS = {
    "ntu60": _NTU.replace("{title}", "NTU RGB+D")
    .replace("{rgb}", "nturgbd_rgb_s001.zip to nturgbd_rgb_s017.zip")
    .replace("{ir}", "nturgbd_ir_s001.zip to nturgbd_ir_s017.zip")
    .replace("{skeletons}", "nturgbd_skeletons_s001_to_s017.zip"),
    "ntu120": _NTU.replace("{title}", "NTU RGB+D 120")
    .replace("{rgb}", "nturgbd_rgb_s001.zip to nturgbd_rgb_s032.zip")
    .replace("{ir}", "nturgbd_ir_s001.zip to nturgbd_ir_s032.zip")
    .replace(
        "{skeletons}",
        "nturgbd_skeletons_s001_to_s017.zip and nturgbd_skeletons_s018_to_s032.zip",
    ),
    "synthetic": (
        "The synthetic set is made on your own machine, nothing is downloaded. Run: "
        "python -m input_pipeline.prepare {name} --out {out}"
    ),
}

_CLIPS = (
    "Data sets that come with a builder are: {known}. If {name!r} is your own, write "
    "a CSV manifest with the columns rgb, ir, skeleton (those that you have), label, "
    "split and run: "
    "python -m input_pipeline.prepare clips --manifest MANIFEST.csv --name {name} "
    "--out {out}"
)


def text(name: str, out: str | Path) -> str:
    """Say what to download, where to put it and which command prepares ``name``."""
    template = _TEXTS.get(name, _CLIPS)
    return template.format(name=name, out=out, known=", ".join(_TEXTS))

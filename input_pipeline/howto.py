"""How each data set is got and prepared: the text of "not prepared" errors.

No TensorFlow here, so that the error reaches machines that only have a config.
"""

from pathlib import Path

from input_pipeline.streams import STORED

_NTU = (
    "{title} cannot be downloaded by a program: fill in the request form of the ROSE "
    "Lab (https://rose1.ntu.edu.sg/dataset/actionRecognition/, an academic e-mail "
    "address is needed) and, once it is granted, download three families of zip files "
    "from its download page: the RGB videos ({rgb}), the IR videos ({ir}) and the 3D "
    "skeletons ({skeletons}). The masked depth maps are only needed for the stream "
    "depth: --streams rgb,ir,depth reads nturgb+d_depth_masked/CLIP/MDepth-*.png. "
    "Unzip all of them into one "
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
    "ucf101": (
        "Download UCF101.rar and the three splits for action recognition "
        "(UCF101TrainTestSplits-RecognitionTask.zip) from "
        "https://www.crcv.ucf.edu/data/UCF101.php and unpack both into one folder, "
        "RAW, so that it holds UCF-101/CLASS/*.avi and ucfTrainTestlist/*.txt. Then "
        "run: python -m input_pipeline.prepare {name} --raw RAW --out {out}"
    ),
    "hmdb51": (
        "Download hmdb51_org.rar and test_train_splits.rar from "
        "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/ "
        "and unpack both, and the archives of the classes in the first, into one "
        "folder, RAW, so that it holds CLASS/*.avi and "
        "testTrainMulti_7030_splits/*.txt. Then run: "
        "python -m input_pipeline.prepare {name} --raw RAW --out {out}"
    ),
    "something": (
        "Something-Something must be asked for at "
        "https://www.qualcomm.com/developer/software/something-something-v-2-dataset "
        "(V1 comes from its authors). Unpack it into one folder, RAW, so that it holds "
        "20bn-something-something-v1/ID/*.jpg (V2: ID.webm) and, beside that folder, "
        "the lists something-something-*-{{train,validation,labels}}.csv or .json. "
        "Then run: python -m input_pipeline.prepare {name} --raw RAW --out {out}"
    ),
    "minikinetics": (
        "Download the videos of Kinetics-400 that you want (see "
        "https://github.com/cvdfoundation/kinetics-dataset) and sort them into "
        "RAW/train/CLASS/*.mp4 and RAW/val/CLASS/*.mp4; lists of them (train.csv, "
        "val.csv) may lie in RAW: what is listed and not there is then a failure, what "
        "is not listed is left out. Then run: python -m "
        "input_pipeline.prepare folders --raw RAW --name {name} --out {out}"
    ),
    "synthetic": (
        "The synthetic set is made on your own machine, nothing is downloaded. Run: "
        "python -m input_pipeline.prepare {name} --out {out}; that is the demo's "
        "world. Any other is first staged, see docs/worlds.md, those of results/ by "
        "`make results`, and prepared with --raw RAW."
    ),
}

_CLIPS = (
    "Data sets that come with a builder are: {known}. If {name!r} is your own, write "
    "a CSV manifest with the columns {streams} (those that you have), label, "
    "split and run: "
    "python -m input_pipeline.prepare clips --manifest MANIFEST.csv --name {name} "
    "--out {out}; videos in SPLIT/CLASS/VIDEO need no manifest: "
    "python -m input_pipeline.prepare folders --raw RAW --name {name} --out {out}"
)


def text(name: str, out: str | Path) -> str:
    """Say what to download, where to put it and which command prepares ``name``."""
    template = _TEXTS.get(name, _CLIPS)
    return template.format(
        name=name, out=out, known=", ".join(_TEXTS), streams=", ".join(STORED)
    )

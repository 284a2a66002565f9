"""What a person is told to download, and where to put it."""

from input_pipeline import howto


def test_howto_says_what_to_download_where_to_put_it_and_what_to_run():
    text = howto.text("ntu60", "DATA")
    for part in (
        "request form",
        "ROSE",
        "RGB videos (nturgbd_rgb_s001.zip",
        "IR videos (nturgbd_ir_s001.zip",
        "3D skeletons (nturgbd_skeletons_s001_to_s017.zip",
        "RAW/nturgb+d_rgb/*_rgb.avi",
        "python -m input_pipeline.prepare ntu60 --raw RAW --out DATA",
    ):
        assert part in text
    assert "s018_to_s032" in howto.text("ntu120", "DATA")
    assert "--manifest MANIFEST.csv --name mine" in howto.text("mine", "DATA")

"""The pictures of docs/gallery.md, taken from the reports of four small runs.

    python -m docs.making.gallery --scratch /tmp/gallery

stages 640 clips, trains the four demos on them for a few epochs (some ten minutes each
on one core; called again it goes on), evaluates, and takes of each report what the page
shows. What is written is the report's own picture, as it stands there.
"""

import argparse
import base64
import pathlib
import re
import subprocess
import sys

from jaxact.report import style

OUT = pathlib.Path(__file__).parents[1] / "gallery"
CLIPS, EPOCHS = 640, 8
SYSTEMS = ("stafusion", "ccdfarm", "dam", "tsm_netvlad")
# Which of a report's sheets are shown, by their places in it.
SHEETS = {"stafusion": (2, 5), "ccdfarm": (1, 5), "dam": (4, 5), "tsm_netvlad": (3, 5)}
SHEET = re.compile(r'class="sheet" src="data:image/webp;base64,([^"]+)"')
CHART = re.compile(r"<svg.*?</svg>", re.DOTALL)


def run(*arguments: str) -> None:
    print(*arguments)
    subprocess.run([sys.executable, *arguments], check=True)


def reports(scratch: pathlib.Path) -> dict[str, str]:
    """Makes the runs, or goes on with them; returns their reports by system."""
    raw, data = scratch / "raw", scratch / "data"
    if not data.exists():
        run("-m", "input_pipeline.synthetic", "--out", f"{raw}", "--clips", f"{CLIPS}")
        run(
            *("-m", "input_pipeline.prepare", "synthetic"),
            *("--raw", f"{raw}", "--out", f"{data}"),
        )
    pages = {}
    for system in SYSTEMS:
        flags = (
            f"--config=configs/demo_{system}.py",
            f"--config.data.dir={data}",
            f"--config.train.epochs={EPOCHS}",
            f"--config.train.eval_every={EPOCHS / 2}",
            f"--workdir={scratch / 'runs' / system}",
        )
        run("train.py", *flags)
        run("evaluate.py", *flags)
        page = scratch / "runs" / system / "report" / "report.html"
        pages[system] = page.read_text(encoding="utf-8")
    return pages


def sheets(page: str) -> list[bytes]:
    """Returns a report's pictures of clips, WebP."""
    return [base64.b64decode(found) for found in SHEET.findall(page)]


def charts(page: str) -> list[str]:
    """Returns a report's charts, each as a file of its own in the report's colours."""
    colours = style.CSS[: style.CSS.index("* {")]
    rules = "\n".join(line for line in style.CSS.splitlines() if "svg" in line)
    look = f"<style>{colours}{rules} svg {{ font-family: sans-serif; }}</style>"
    return [
        re.sub(
            r"^<svg([^>]*)>", rf'<svg xmlns="http://www.w3.org/2000/svg"\1>{look}', x
        )
        for x in CHART.findall(page)
    ]


def write(pages: dict[str, str], out: pathlib.Path) -> None:
    """Writes the pictures that are shown of the systems' reports."""
    out.mkdir(exist_ok=True)
    for system, page in pages.items():
        found = sheets(page)
        for number in SHEETS[system]:
            (out / f"{system}_{number}.webp").write_bytes(found[number])
    drawn = charts(pages["ccdfarm"])
    (at,) = (i for i, chart in enumerate(drawn) if 'class="confusion"' in chart)
    (out / "confusion.svg").write_text(drawn[at], encoding="utf-8")
    (out / "accuracy.svg").write_text(drawn[at + 2], encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    write(reports(parser.parse_args().scratch.resolve()), OUT)


if __name__ == "__main__":
    main()

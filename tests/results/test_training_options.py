"""Which strength of an option is taken to the test clips: the better on validation."""

import json

from results import study
from results.studies import synthetic_option_strengths as tuned
from results.studies import synthetic_training_options as options


def test_the_better_strength_on_validation_clips_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "DATA", tmp_path)
    assert options.chosen("mixup") == "0.2"  # nothing was compared yet
    rows = [("mixup 0.2", 0.5), ("mixup 0.2", 0.7), ("mixup 0.8", 0.65), ("other", 1.0)]
    lines = [
        json.dumps({"row": row, "seed": seed, "top1": top1})
        for seed, (row, top1) in enumerate(rows)
    ]
    tuned.STUDY.data.write_text("\n".join(lines))
    assert options.chosen("mixup") == "0.8" and "mixup 0.8" in options.rows()
    assert options.rows()["mixup 0.8"] == ("baseline", {"mix.mixup": 0.8})
    assert len(options.rows()) == 1 + len(tuned.OPTIONS)
    # Strengths are compared on clips that are neither trained nor tested on.
    spec = tuned.STUDY.experiment(("baseline", {}), 0)
    assert (spec.data.protocol, spec.eval.split) == ("xsub_dev", "val")
    spec = options.STUDY.experiment(("baseline", {}), 0)
    assert (spec.data.protocol, spec.eval.split) == ("xsub", "test")

"""A group of runs on texts as one predictor: every member reads with its own vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import chainrule as cr

TEXTS = ["good day", "bad day", "good night", "bad night", "so good", "so bad"] * 8
LABELS = ["p" if "good" in text else "n" for text in TEXTS]


def test_a_group_reads_with_the_vocabularies_of_its_members(tmp_path: Path) -> None:
    found = cr.cross_validate(TEXTS, LABELS, folds=2, epochs=1, runs_dir=tmp_path, verbose=False)
    group = cr.load_run(found.run)
    members = [cr.load_run(run) for run in found.run.iterdir() if run.is_dir()]
    mean = np.mean([m.predict_proba(TEXTS) for m in members], axis=0)
    np.testing.assert_allclose(group.predict_proba(TEXTS), mean, rtol=1e-12)
    np.testing.assert_array_equal(group.predict(TEXTS), np.array(["n", "p"])[mean.argmax(1)])
    columns = dict(group.columns(TEXTS, proba=True))
    np.testing.assert_array_equal(columns["probability_p"], mean[:, 1])
    errors = [m.evaluate((TEXTS, LABELS))["log_loss"] for m in members]
    assert group.evaluate((TEXTS, LABELS))["log_loss"] <= np.mean(errors)

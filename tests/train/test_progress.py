"""Progress: one live line on a terminal, few plain ones elsewhere."""

from __future__ import annotations

import errno
import io
import sys

import pytest

from chainrule.train import Callback
from chainrule.train.callback import Logs
from chainrule.train.callbacks.progress import Progress
from train.problems_small import line, linear_trainer


def finished(live: bool, epochs: int = 3) -> str:
    stream = io.StringIO()
    progress = Progress(epochs, stream, live=live)
    progress.on_train_begin({})
    for epoch in range(epochs):
        progress.on_progress(epoch, 0.5, {"loss": 0.5})
        progress.on_progress(epoch, 1.0, {"loss": 1 / (epoch + 1), "val_loss": 0.25})
    progress.on_train_end({})
    return stream.getvalue()


def test_plain_lines_are_the_first_and_the_last_of_a_fast_training() -> None:
    lines = finished(live=False, epochs=50).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch  1/50  loss 1  val_loss 0.25  eta")
    assert lines[1].startswith("epoch 50/50  loss 0.02  val_loss 0.25  in")


def test_live_line_is_redrawn_and_ended() -> None:
    text = finished(live=True)
    assert text.count("\n") == 1
    assert text.startswith("\repoch 1/3  ###")
    assert text.endswith("\x1b[K\n")
    assert "epoch 3/3  ##################  loss 0.3333" in text


def test_nothing_without_an_epoch() -> None:
    assert finished(live=False, epochs=0) == ""


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("live", [False, True])
def test_a_stream_without_room_is_no_error(live: bool) -> None:
    progress = Progress(1, Full(), live=live)
    progress.on_train_begin({})
    progress.on_progress(0, 1.0, {"loss": 0.5})
    progress.on_train_end({})


@pytest.mark.parametrize("stderr", [None, Full()])
def test_training_without_a_standard_error(
    stderr: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Teller(Callback):
        def on_epoch_end(self, epoch: int, logs: Logs) -> None:
            self.trainer.tell("hello")

    monkeypatch.setattr(sys, "stderr", stderr)
    trainer = linear_trainer()
    trainer.fit(line(), epochs=2, callbacks=Teller())
    assert trainer.messages == ["hello", "hello"]
    assert len(trainer.history.epoch) == 2

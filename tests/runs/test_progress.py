"""What a run shows: a bar that fits a terminal, lines elsewhere, nothing that a person has no use for."""

import pytest
from pytorch_lightning.callbacks import ModelSummary, TQDMProgressBar

from musiclab import Trainer
from musiclab.runs import progress
from runs.made_runs import make_loader, make_task, make_trainer

SHOWN = {"enable_progress_bar": True, "enable_model_summary": True}


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 100 columns on which every batch is drawn."""
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda stream: (100, 40))
    monkeypatch.setattr(progress, "on_screen", lambda: True)
    monkeypatch.setattr(progress, "BETWEEN_LOOKS", 0)


def test_a_training_has_one_bar_that_fits_the_terminal(tmp_path, capsys, terminal):
    trainer = make_trainer(tmp_path, max_epochs=2, **SHOWN)
    trainer.fit(make_task(), make_loader(), make_loader(6))
    drawn = capsys.readouterr().out.split("\r")
    assert max(len(line.strip("\n")) for line in drawn) <= 100
    last = drawn[-1].rstrip("\n")
    assert last.startswith("Epoch 2/2: 100%|")
    assert "6/6 [" in last
    accuracy, loss = (float(trainer.callback_metrics[name]) for name in ("val_accuracy", "train_loss"))
    assert f"train_loss {loss:.3f}, val_accuracy {accuracy:.3f}]" in last
    assert any(line.startswith("Epoch 1/2, validating:  50%") for line in drawn)
    assert drawn[-1].count("\n") == 1
    assert not any("\n" in line for line in drawn[:-1])


def test_a_bar_of_an_evaluation_is_gone_when_its_results_come(tmp_path, capsys, terminal):
    trainer = make_trainer(tmp_path, **SHOWN)
    trainer.test(make_task(), make_loader(), verbose=False)
    assert "Testing:  67%|" in (shown := capsys.readouterr().out)
    assert shown.rindex("Testing:") < shown.index("precision")


def test_elsewhere_there_is_a_line_an_epoch(tmp_path, capsys):
    trainer = make_trainer(tmp_path, max_epochs=2, **SHOWN)
    trainer.fit(make_task(), make_loader(), make_loader(6))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert lines[1].endswith(f"val_accuracy {float(trainer.callback_metrics['val_accuracy']):.3f}")


def test_what_takes_long_is_told_of_in_between(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "BETWEEN_LINES", 0)
    trainer = make_trainer(tmp_path, max_epochs=1, **SHOWN)
    trainer.fit(make_task(), make_loader(), make_loader(6))
    assert "Epoch 1/1: 2 of 3 batches\n" in capsys.readouterr().out
    trainer.validate(make_task(), make_loader(), verbose=False)
    assert "Validating: 3 of 3 batches\n" in capsys.readouterr().out
    trainer.predict(make_task(), make_loader())
    assert "Predicting: 1 of 3 batches\n" in capsys.readouterr().out


def test_parameters_are_a_line_and_those_that_are_frozen_are_said(tmp_path, caplog):
    task = make_task()
    make_trainer(tmp_path, max_epochs=1, enable_model_summary=True).fit(task, make_loader())
    assert "Parameters: backbone (CNN) 33, head (Linear) 21" in caplog.messages
    task.head.requires_grad_(False)
    make_trainer(tmp_path, max_epochs=1, enable_model_summary=True).fit(task, make_loader())
    assert "Parameters: backbone (CNN) 33, head (Linear) 21; 33 are trained" in caplog.messages
    assert not any("Total params" in message or "summary" in message for message in caplog.messages)


def test_another_bar_or_summary_stands_in_for_ours_and_options_switch_them_off(tmp_path):
    def kinds(**arguments):
        trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path, **arguments)
        shown = (progress.Progress, progress.Parameters, TQDMProgressBar, ModelSummary)
        return [type(callback) for callback in trainer.callbacks if isinstance(callback, shown)]

    assert kinds() == [progress.Parameters, progress.Progress]
    assert kinds(enable_progress_bar=False, enable_model_summary=False) == []
    assert kinds(callbacks=[TQDMProgressBar(), ModelSummary(2)]) == [TQDMProgressBar, ModelSummary]

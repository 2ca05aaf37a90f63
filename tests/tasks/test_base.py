"""What all tasks share: what they learn of their data before a training."""

import logging

import pytest
import torch
from pytorch_lightning import LightningDataModule

from musiclab.errors import UserError
from musiclab.tasks import MultitaskRegressionTask, RegressionTask
from tasks.genre_task import GENRES, loader, make_batches, make_task, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


class Misspelt(LightningDataModule):
    """Lacks one of the methods that a task asks for."""

    def train_dataloader(self):
        return loader(make_batches())

    def feature_statistic(self):
        return torch.zeros(6), torch.ones(6)

    def track_frames(self):
        return 9

    def train_targets(self):
        return torch.zeros(23)


def test_a_datamodule_that_lacks_a_method_is_refused(tmp_path):
    with pytest.raises(UserError, match="Misspelt has no method feature_statistics") as raised:
        make_trainer(tmp_path, max_epochs=1).fit(make_task(), datamodule=Misspelt())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("said", [True, False])
def test_a_fit_without_a_datamodule_says_that_nothing_is_normalised(tmp_path, caplog, said):
    pretrained = {} if said else {"pretrained": "some.ckpt"}
    task = make_task(**pretrained)
    task.on_fit_start = lambda: None
    with caplog.at_level(logging.INFO):
        make_trainer(tmp_path, max_epochs=1).fit(task, loader(make_batches()))
    assert caplog.text.count("Nothing is normalised: there are data loaders, but no datamodule") == said
    assert task.feature_std.tolist() == [1] * 6


@pytest.mark.parametrize("kind", [None, RegressionTask, MultitaskRegressionTask])
def test_checkpoints_say_what_kind_the_outputs_are(tmp_path, kind):
    task = make_task() if kind is None else kind(num_features=6, target_names=GENRES)
    trainer = make_trainer(tmp_path)
    trainer.strategy.connect(task)
    trainer.save_checkpoint(tmp_path / "some.ckpt")
    expected = "classes" if kind is None else "values"
    assert torch.load(tmp_path / "some.ckpt", weights_only=True)["output_kind"] == expected

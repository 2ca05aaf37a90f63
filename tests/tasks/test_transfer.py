"""Backbones that start from another run: what is taken over, what is refused, what is frozen and for how long."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from conftest import make_emotion_folder, make_genre_folder
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from musiclab.data.datamodules import EmotionDataModule, GenreDataModule
from musiclab.errors import UserError
from musiclab.models import CNN, LSTM
from musiclab.runs.averaging import EMAWeights
from musiclab.tasks import ClassificationTask, MultitaskRegressionTask, RegressionTask

pytestmark = pytest.mark.filterwarnings("ignore")

BACKBONES = {
    "cnn": partial(CNN, channels=(3, 4), pools=(2, 2), dropout=0.0),
    "lstm": partial(LSTM, hidden_size=4, num_layers=1, dropout=0.0),
}


def make_trainer(folder, **arguments):
    settings = {"accelerator": "cpu", "logger": False, "default_root_dir": folder, "enable_checkpointing": False}
    settings |= {"enable_progress_bar": False, "enable_model_summary": False, "max_epochs": 1}
    return Trainer(**settings | arguments)


@pytest.fixture(scope="module")
def emotions(tmp_path_factory):
    root = make_emotion_folder(tmp_path_factory.mktemp("data") / "emotions")
    return EmotionDataModule(root=root, batch_size=8, val_fraction=0.25)


@pytest.fixture(scope="module", params=BACKBONES)
def pretrained(request, tmp_path_factory):
    """Name of a backbone, and the checkpoint of a genre model that has it."""
    folder = tmp_path_factory.mktemp("genre")
    data = GenreDataModule(root=make_genre_folder(folder / "genres"), batch_size=8)
    task = ClassificationTask(num_features=128, target_names=data.target_names, backbone=BACKBONES[request.param])
    trainer = make_trainer(folder)
    trainer.fit(task, datamodule=data)
    trainer.save_checkpoint(folder / "genre.ckpt")
    return SimpleNamespace(backbone=request.param, path=str(folder / "genre.ckpt"))


def make_task(pretrained, data, kind=RegressionTask, backbone=None, **arguments):
    torch.manual_seed(1)
    make_backbone = BACKBONES[backbone or pretrained.backbone]
    optimizer = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)
    return kind(
        num_features=arguments.pop("num_features", data.num_features),
        target_names=data.target_names,
        backbone=make_backbone,
        optimizer=optimizer,
        pretrained=pretrained.path,
        **arguments,
    )


def backbone_of(source):
    state = source if isinstance(source, dict) else source.state_dict()
    kept = ("backbone.", "feature_")
    return {name: tensor.clone() for name, tensor in state.items() if name.startswith(kept)}


def same(first, second):
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])] == []


class Watch(Callback):
    """Keeps the backbone as it is at the end of each epoch."""

    def __init__(self):
        self.states = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.states.append(backbone_of(pl_module))


@pytest.mark.parametrize("kind", [RegressionTask, MultitaskRegressionTask])
def test_backbone_and_normalisation_are_taken_over_and_nothing_else(kind, pretrained, emotions, tmp_path):
    task = make_task(pretrained, emotions, kind)
    head = {name: tensor.clone() for name, tensor in task.head.state_dict().items()}
    make_trainer(tmp_path, max_steps=0, limit_val_batches=0).fit(task, datamodule=emotions)
    theirs = torch.load(pretrained.path, weights_only=True)["state_dict"]
    assert same(backbone_of(task), backbone_of(theirs))
    assert all(torch.equal(tensor, head[name]) for name, tensor in task.head.state_dict().items())


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("frozen", [0, 2, "all"])
def test_the_backbone_is_frozen_for_as_long_as_it_is_said(frozen, averaged, pretrained, emotions, tmp_path):
    task = make_task(pretrained, emotions, frozen_epochs=frozen)
    before = backbone_of(torch.load(pretrained.path, weights_only=True)["state_dict"])
    head = task.head.weight.detach().clone()
    watch = Watch()
    callbacks = [watch, *([EMAWeights(0.5)] if averaged else [])]
    make_trainer(tmp_path, max_epochs=4, callbacks=callbacks).fit(task, datamodule=emotions)
    frozen_then = [same(before, state) for state in watch.states]
    assert frozen_then == [epoch < (4 if frozen == "all" else frozen) for epoch in range(4)]
    assert not torch.equal(head, task.head.weight)
    norms = [name for name in before if "running" in name]
    assert all(torch.equal(before[name], task.state_dict()[name]) for name in norms) == (frozen == "all" or not norms)


def test_norms_of_a_backbone_that_is_trained_may_keep_their_statistics(pretrained, emotions, tmp_path):
    task = make_task(pretrained, emotions, frozen_norms=True)
    before = backbone_of(torch.load(pretrained.path, weights_only=True)["state_dict"])
    make_trainer(tmp_path).fit(task, datamodule=emotions)
    after = backbone_of(task)
    statistics = ("running_mean", "running_var", "num_batches_tracked", "feature_mean", "feature_std")
    assert {name for name in before if torch.equal(before[name], after[name])} == {
        name for name in before if name.endswith(statistics)
    }


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_run_unfreezes_when_it_should_and_needs_no_genre_checkpoint(stop, pretrained, emotions, tmp_path):
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.02)

    def fit(folder, epochs, gone=False, **arguments):
        task = make_task(pretrained, emotions, frozen_epochs=2, lr_scheduler=schedule)
        task.pretrained = "/nowhere.ckpt" if gone else task.pretrained
        saving = ModelCheckpoint(folder, filename="last")
        limit = {"limit_train_batches": 2, "enable_checkpointing": True, "callbacks": [saving, StopAfter(epochs)]}
        make_trainer(tmp_path, max_epochs=4, **limit).fit(task, datamodule=emotions, **arguments)
        return task

    through = fit(tmp_path / "a", 4)
    fit(tmp_path / "b", stop)
    resumed = fit(tmp_path / "b", 4, gone=True, ckpt_path=tmp_path / "b" / "last.ckpt")
    assert same(through.state_dict(), resumed.state_dict())


class StopAfter(Callback):
    """Stops a run after some epochs, as if it had been interrupted."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_validation_end(self, trainer, pl_module):
        if trainer.current_epoch + 1 >= self.epochs and not trainer.sanity_checking:
            trainer.should_stop = True


@pytest.mark.parametrize("kind", [RegressionTask, MultitaskRegressionTask])
def test_a_backbone_may_have_a_smaller_learning_rate(kind, pretrained, emotions, tmp_path):
    """By plain gradient descent: its steps are as much shorter, and those of the others as long as ever."""
    steps = []
    for rate in (1.0, 0.25):
        task = make_task(pretrained, emotions, kind, backbone_rate=rate)
        task._optimisation = task._optimisation._replace(optimizer=partial(torch.optim.SGD, lr=0.1))
        start = {name: weights.detach().clone() for name, weights in task.named_parameters()}
        start |= torch.load(pretrained.path, weights_only=True)["state_dict"]  # of which the head is another one's
        own = {name: weights.detach().clone() for name, weights in task.head.named_parameters()}
        make_trainer(tmp_path, max_steps=1, limit_val_batches=0).fit(task, datamodule=emotions)
        moved = {
            name: weights.detach() - start[name] for name, weights in task.backbone.named_parameters(prefix="backbone")
        }
        steps.append(moved | {name: weights.detach() - own[name] for name, weights in task.head.named_parameters()})
    for name, whole in steps[0].items():
        torch.testing.assert_close(
            steps[1][name], whole * (0.25 if name.startswith("backbone.") else 1), atol=1e-7, rtol=1e-3
        )


@pytest.mark.parametrize(
    "schedule",
    [
        None,
        partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.02),
        partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=4),
        partial(torch.optim.lr_scheduler.StepLR, step_size=1),
    ],
)
def test_schedules_keep_the_share(schedule, pretrained, emotions, tmp_path):
    task = make_task(pretrained, emotions, MultitaskRegressionTask, backbone_rate=0.1, lr_scheduler=schedule)
    rates = Rates()
    make_trainer(tmp_path, max_epochs=2, callbacks=[rates]).fit(task, datamodule=emotions)
    heads, backbone = zip(*rates.seen, strict=True)
    assert torch.allclose(torch.tensor(backbone), 0.1 * torch.tensor(heads))
    assert len(set(heads)) > 1 or schedule is None


class Rates(Callback):
    """Keeps the learning rates of each step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, *_):
        self.seen.append([group["lr"] for group in trainer.optimizers[0].param_groups])


def test_a_schedule_that_would_ignore_the_share_is_refused(pretrained, emotions, tmp_path):
    schedule = partial(torch.optim.lr_scheduler.CyclicLR, base_lr=0.001, max_lr=0.01, cycle_momentum=False)
    task = make_task(pretrained, emotions, backbone_rate=0.1, lr_scheduler=schedule)
    with pytest.raises(UserError, match="CyclicLR sets rates of its own, so that backbone_rate would be ignored"):
        make_trainer(tmp_path).fit(task, datamodule=emotions)


@pytest.mark.parametrize("arguments", [{"backbone_rate": 0}, {"backbone_rate": -1.0}, {"frozen_norms": True}])
def test_settings_of_transfer_that_make_no_sense(arguments):
    with pytest.raises(UserError, match=next(iter(arguments))):
        RegressionTask(num_features=3, target_names=["valence"], **arguments)


def test_testing_needs_no_genre_checkpoint(pretrained, emotions, tmp_path):
    task = make_task(pretrained, emotions, frozen_epochs="all")
    trainer = make_trainer(tmp_path)
    trainer.fit(task, datamodule=emotions)
    trainer.save_checkpoint(tmp_path / "emotion.ckpt")
    task = make_task(pretrained, emotions, frozen_epochs="all")
    task.pretrained = "/nowhere.ckpt"
    make_trainer(tmp_path).test(task, datamodule=emotions, ckpt_path=tmp_path / "emotion.ckpt", verbose=False)


def refusal(task, data, folder):
    with pytest.raises(UserError) as raised:
        make_trainer(folder).fit(task, datamodule=data)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_backbone_that_does_not_fit_names_the_first_parameter_and_both_shapes(pretrained, emotions, tmp_path):
    if pretrained.backbone == "cnn":
        wider, named = partial(CNN, channels=(3, 5), pools=(2, 2)), "blocks.1.convolution.weight is (4, 3, 3, 3) there"
        wider_shape = "(5, 3, 3, 3) here"
    else:
        wider, named = partial(LSTM, hidden_size=5, num_layers=1), "recurrence.weight_ih_l0 is (16, 128) there"
        wider_shape = "(20, 128) here"
    task = RegressionTask(
        num_features=128, target_names=emotions.target_names, backbone=wider, pretrained=pretrained.path
    )
    error = refusal(task, emotions, tmp_path)
    assert pretrained.path in error
    assert f"backbone.{named}" in error
    assert wider_shape in error


def test_a_backbone_of_another_kind_is_refused(pretrained, emotions, tmp_path):
    other = "lstm" if pretrained.backbone == "cnn" else "cnn"
    assert "missing there" in refusal(make_task(pretrained, emotions, backbone=other), emotions, tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"), [("features", "fused"), ("beat_synced", True), ("seconds", 0.5), ("num_features", 140)]
)
def test_inputs_that_disagree_are_refused(setting, value, pretrained, emotions, tmp_path):
    task = make_task(pretrained, emotions, **{setting: value})
    error = refusal(task, emotions, tmp_path)
    assert f"{setting} " in error
    assert str(value) in error


def test_a_missing_checkpoint_is_refused(emotions, tmp_path):
    nowhere = SimpleNamespace(backbone="cnn", path=str(tmp_path / "none.ckpt"))
    assert "none.ckpt: no such checkpoint" in refusal(make_task(nowhere, emotions), emotions, tmp_path)


@pytest.mark.parametrize("epochs", [3, "all", -1])
def test_freezing_needs_something_to_freeze_and_a_sensible_number(epochs):
    with pytest.raises(UserError, match=f"frozen_epochs is {epochs}"):
        RegressionTask(num_features=3, target_names=["valence"], frozen_epochs=epochs)

"""Optimizers that run fused: what is logged of them, what is refused, and that they train as others do."""

from copy import deepcopy
from functools import partial

import pytest
import torch
import yaml
from command_line import CONFIGS, error_of, fit_args
from pytorch_lightning import Callback
from pytorch_lightning.cli import ReduceLROnPlateau
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn

from musiclab.cli import main
from musiclab.cli.dispatch import run_training
from musiclab.tasks.optimisation import settle, takes_total_steps
from tasks.genre_task import Mean, loader, make_batches, make_task, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore")

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def adamw(fused):
    return partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1, fused=fused)


class Norms(Callback):
    """Keeps the norm of the gradient of each step."""

    def __init__(self):
        self.logged = []

    def on_train_batch_end(self, trainer, *_):
        self.logged.append(trainer.callback_metrics["gradient_norm"].item())


def fit(folder, fused, device="cpu", **arguments):
    """Train for two epochs and return the weights and the norms that were logged."""
    task, norms = make_task(backbone=Mean, optimizer=adamw(fused), sharpness=1), Norms()
    trainer = make_trainer(folder, accelerator=device, max_epochs=2, callbacks=[norms], **arguments)
    trainer.fit(task, loader(make_batches()))
    return torch.cat([weights.detach().flatten().cpu() for weights in task.parameters()]), torch.tensor(norms.logged)


def half(device):
    """Precision 16-mixed, whose trainers refuse a CPU where the precision is given by name."""
    scaler = torch.amp.GradScaler(device, init_scale=256.0)
    return {"plugins": [MixedPrecision("16-mixed", device, scaler)]}


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
@pytest.mark.parametrize("precision", ["32-true", "16-mixed"])
def test_fused_or_not_makes_no_difference(device, precision, tmp_path):
    arguments = half(device) if precision == "16-mixed" else {}
    weights, norms = fit(tmp_path, None, device, **arguments)
    fused_weights, fused_norms = fit(tmp_path, True, device, **arguments)
    torch.testing.assert_close(fused_norms, norms, atol=0, rtol=1e-3)
    torch.testing.assert_close(fused_weights, weights, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("config", sorted(CONFIGS.rglob("*_*.yaml")), ids=lambda path: path.stem)
def test_configs_run_fused(config):
    optimizer = yaml.safe_load(config.read_text())["model"]["init_args"].get("optimizer")
    assert optimizer is None or optimizer["init_args"]["fused"] is True


def test_an_overlay_keeps_what_it_does_not_name(genre_root, tmp_path):
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path, "--trainer.max_steps=1")
    cli = run_training([args[0], args[1], f"-c={CONFIGS / 'overfit.yaml'}", *args[2:]])
    (group,) = cli.trainer.optimizers[0].param_groups
    assert (group["fused"], group["weight_decay"]) == (True, 0.0)


def test_clipping_in_mixed_precision_is_refused_at_once_and_goes_unfused(genre_root, tmp_path, capfd):
    clipped = ["--trainer.gradient_clip_val=0.5", "--trainer.precision=bf16-mixed"]
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path, *clipped)
    assert "--model.optimizer.init_args.fused false" in error_of(capfd, args)
    main([*args, "--model.optimizer.init_args.fused=false"])


def test_clipping_in_full_precision(tmp_path):
    clipped = {"gradient_clip_val": 0.01}
    torch.testing.assert_close(fit(tmp_path, True, **clipped), fit(tmp_path, None, **clipped), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("before", [None, True])
def test_a_run_goes_on_as_it_was_started(before, mixed, tmp_path):
    """What a checkpoint says of the optimizer counts."""
    batches = loader(make_batches())
    trainer = make_trainer(tmp_path, max_epochs=1, **(half("cpu") if mixed else {}))
    trainer.fit(make_task(backbone=Mean, optimizer=adamw(before)), batches)
    trainer.save_checkpoint(tmp_path / "first.ckpt")
    ends = []
    for now in (None, True):
        task = make_task(backbone=Mean, optimizer=adamw(now))
        trainer = make_trainer(tmp_path, max_epochs=2, **(half("cpu") if mixed else {}))
        trainer.fit(task, batches, ckpt_path=tmp_path / "first.ckpt")
        assert trainer.optimizers[0].param_groups[0]["fused"] is before
        ends.append(torch.cat([weights.detach().flatten() for weights in task.parameters()]))
    torch.testing.assert_close(ends[0], ends[1], atol=0, rtol=0)


def test_states_of_another_layout_are_laid_out_as_the_weights():
    """As those of a checkpoint from before the network's layout was changed."""
    convolution = nn.Conv2d(2, 3, 3)
    torch.manual_seed(0)
    gradient = torch.randn(3, 2, 3, 3)
    results = []
    for kept in (torch.contiguous_format, torch.channels_last):
        layer = deepcopy(convolution).to(memory_format=kept)
        optimizer = adamw(True)(layer.parameters())
        layer.weight.grad = torch.empty_like(layer.weight).copy_(gradient)
        optimizer.step()
        for name in ("exp_avg", "exp_avg_sq"):
            optimizer.state[layer.weight][name] = optimizer.state[layer.weight][name].contiguous()
        settle(optimizer)
        optimizer.step()
        results.append(layer.weight.detach())
    torch.testing.assert_close(results[0], results[1])


class PassesOn(torch.optim.lr_scheduler.OneCycleLR):
    def __init__(self, optimizer, max_lr=0.01, **kwargs):
        super().__init__(optimizer, max_lr, **kwargs)


class Steps(torch.optim.lr_scheduler.StepLR):
    def __init__(self, optimizer, **kwargs):
        super().__init__(optimizer, 1, **kwargs)


@pytest.mark.parametrize(
    ("maker", "expected"),
    [
        (torch.optim.lr_scheduler.OneCycleLR, True),
        (torch.optim.lr_scheduler.StepLR, False),
        (PassesOn, True),
        (Steps, False),
        (lambda optimizer, total_steps: None, True),
        (lambda optimizer, **others: None, True),
        (partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1), True),
        (partial(torch.optim.lr_scheduler.StepLR, step_size=1), False),
        (partial(ReduceLROnPlateau, monitor="val_loss"), False),
    ],
)
def test_which_schedulers_are_told_the_number_of_steps(maker, expected):
    assert takes_total_steps(maker, None) is expected
    if isinstance(maker, type) and maker.__module__.startswith("torch"):
        named = {"class_path": f"{maker.__module__}.{maker.__name__}"}
        assert takes_total_steps(lambda optimizer: None, named) is expected

"""Averages of the weights: what they are, and when they are used."""

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint

from musiclab.runs.averaging import EMAWeights
from runs.made_runs import make_loader, make_task, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


class WeightsOfSteps(Callback):
    """Keeps the weights in training after each step."""

    def __init__(self):
        self.states = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.states.append({name: value.clone() for name, value in pl_module.state_dict().items()})


class TestEMAWeights:
    decay = 0.4  # reached at the fifth of nine steps

    @pytest.fixture
    def fitted(self, tmp_path):
        """A fitted trainer whose best checkpoint is not the last, its task, and the weights of each step."""
        steps = WeightsOfSteps()
        checkpoints = ModelCheckpoint(tmp_path, "{epoch}", monitor="val_loss", mode="max", save_top_k=-1)
        callbacks = [steps, EMAWeights(self.decay), checkpoints]
        trainer = make_trainer(tmp_path, max_epochs=3, enable_checkpointing=True, callbacks=callbacks)
        task = make_task()
        trainer.fit(task, make_loader(), make_loader())
        assert not checkpoints.best_model_path.endswith("epoch=2.ckpt")
        return trainer, task, steps.states

    def averaged(self, states):
        average = {name: value for name, value in states[0].items() if value.is_floating_point()}
        for step, state in enumerate(states[1:], start=1):
            stays = min(self.decay, (1 + step) / (10 + step))
            average = {name: stays * value + (1 - stays) * state[name] for name, value in average.items()}
        return average

    @pytest.mark.parametrize("epoch", [0, 1, 2])
    def test_checkpoints_hold_the_average(self, fitted, tmp_path, epoch):
        states = fitted[2][: 3 * (epoch + 1)]
        checkpoint = torch.load(tmp_path / f"epoch={epoch}.ckpt", weights_only=True)
        expected = self.averaged(states)
        torch.testing.assert_close({name: checkpoint["state_dict"][name] for name in expected}, expected)
        torch.testing.assert_close(checkpoint["current_model_state"], states[-1])

    def test_the_task_ends_with_the_average(self, fitted):
        _, task, states = fitted
        expected = self.averaged(states)
        torch.testing.assert_close({name: task.state_dict()[name] for name in expected}, expected)

    @pytest.mark.parametrize("stage", ["test", "validate"])
    def test_the_averages_of_the_best_checkpoint_are_judged_after_fit(self, fitted, tmp_path, stage):
        trainer, task, _ = fitted
        best = trainer.checkpoint_callback.best_model_path
        judged = getattr(trainer, stage)(task, make_loader(), ckpt_path="best", verbose=False)[0]
        torch.testing.assert_close(task.state_dict(), torch.load(best, weights_only=True)["state_dict"])
        afresh = getattr(make_trainer(tmp_path), stage)(make_task(), make_loader(), ckpt_path=best, verbose=False)[0]
        assert judged == pytest.approx(afresh)

    def test_validation_while_fitting_judges_the_average(self, fitted, tmp_path):
        last = make_trainer(tmp_path).validate(
            make_task(), make_loader(), ckpt_path=tmp_path / "epoch=2.ckpt", verbose=False
        )[0]
        assert fitted[0].checkpoint_callback.current_score.item() == pytest.approx(last["val_loss"])

    def test_a_resumed_run_goes_on_with_weights_and_averages(self, fitted, tmp_path):
        steps = WeightsOfSteps()
        trainer = make_trainer(tmp_path, max_epochs=3, callbacks=[steps, EMAWeights(self.decay)])
        task = make_task()
        torch.manual_seed(0)
        trainer.fit(task, make_loader(), make_loader(), ckpt_path=tmp_path / "epoch=1.ckpt")
        before = fitted[2][:6]
        expected = self.averaged([*before, *steps.states])
        torch.testing.assert_close({name: task.state_dict()[name] for name in expected}, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_averages_are_those_of_pytorch_in_any_precision(dtype):
    callback = EMAWeights(0.99)
    rng = torch.Generator().manual_seed(0)
    average = torch.randn(50, generator=rng).to(dtype)
    expected = average.clone()
    for step in range(1, 200):
        weights = torch.randn(50, generator=rng).to(dtype)
        average = callback._average(average, weights, torch.tensor(step))
        expected.lerp_(weights, max(1 - 0.99, 9 / (10 + step)))
    assert torch.equal(average, expected)

"""What the command line says of Lightning's warnings: nothing on what it does itself, all on what a user does."""

import warnings

import pytest
from command_line import fit_args
from lightning_fabric.utilities.warnings import PossibleUserWarning

from musiclab.cli import main
from musiclab.cli.hints import quieten

LOADERS = "pytorch_lightning.trainer.connectors.data_connector"


def shown(message, category, module):
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn_explicit(message, category, "file.py", 1, module=module)
    return bool(caught)


@pytest.mark.parametrize(("own", "expected"), [(True, False), (False, True)])
def test_too_few_workers_are_told_of_where_a_user_has_chosen_them(own, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        quieten("fit", resumed=False, own_loading=own)
        assert shown("The 'train_dataloader' does not have many workers", PossibleUserWarning, LOADERS) is expected


def test_warnings_that_concern_a_user_are_shown():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        quieten("fit", resumed=True, own_loading=True)
        result = "pytorch_lightning.trainer.connectors.logger_connector.result"
        assert shown("It is recommended to use `self.log('x', ..., sync_dist=True)`", PossibleUserWarning, result)
        assert shown("Be aware that when using `ckpt_path`, callbacks", UserWarning, "pytorch_lightning.trainer.call")
        assert shown("your own", FutureWarning, "my.module")


def test_a_plain_training_warns_of_nothing(genre_root, tmp_path, recwarn):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
    said = [str(warning.message) for warning in recwarn if not issubclass(warning.category, DeprecationWarning)]
    assert said == []

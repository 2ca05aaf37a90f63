"""``musiclab configs``: the configs that come along, and copies of them to change."""

from pathlib import Path

from musiclab.errors import UserError, did_you_mean
from musiclab.files import HOW_TO_LIST, own_configs, stands_there, write_text


def configs(names: list[str] | None = None, *, out: str = ".") -> None:
    """List the configs and studies that come along, each with what it is for; or copy some, to be changed.

    A config is used by its name, as in `musiclab fit -c genre_cnn.yaml`, a study as in `musiclab study lab.yaml`. A
    file of that name in the current folder goes first: a copy that was changed is what is used there.

    Args:
        names: Configs to copy; none: all are listed.
        out: Folder to copy to, or, of a single config, the file. Nothing is overwritten.
    """
    studies = own_configs("studies")
    own = {**own_configs(), **studies}
    if not names:
        width = max(map(len, own))
        for name, path in own.items():
            print(f"{name:<{width}}  {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")
        return
    copies = {}
    for name in names:
        known = name.removeprefix("configs/").removeprefix("studies/")
        if known not in own:
            raise UserError(f"{name}: no such config{did_you_mean(known, own) or HOW_TO_LIST}")
        copies[known] = _target(Path(out).expanduser(), known, single=len(names) == 1)
    for copy in copies.values():
        if stands_there(copy):
            raise UserError(f"{copy}: is there already and is not overwritten; name another file or folder with --out")
    for name, copy in copies.items():
        write_text(copy, own[name].read_text(encoding="utf-8"))
        print(f"{copy}: to be changed and used, as in musiclab {'study' if name in studies else 'fit -c'} {copy}")


def _target(out: Path, name: str, *, single: bool) -> Path:
    """Return where to copy a config to: a file that is named as one, else a folder."""
    return out if single and out.suffix in (".yaml", ".yml") and not out.is_dir() else out / name

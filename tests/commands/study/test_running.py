"""Several processes at once: the order, what happens when one fails, and when all are to end."""

import os
import signal

import pytest

from commands.study.standins import Ended
from musiclab.commands.study import running
from musiclab.commands.study.running import run_all, start, take
from musiclab.errors import UserError


class Work:
    def __init__(self, folder, name, needs=(), group=None, code=0, steps=1):
        self.name, self.needs, self.group = name, needs, group or name
        self.folder = folder / name
        self.code, self.steps = code, steps
        self.released = 0

    def begin(self):
        return None if self.code == "done" else ["fit", self.name]

    def end(self, code):
        if self.code == "stop":
            raise UserError("all of these are wrong")
        return f"score {code}"

    def release(self):
        self.released += 1


class Process(Ended):
    """One that ends at the given look."""

    def __init__(self, work, table):
        super().__init__(0 if work.code == "stop" else work.code)
        self.work, self.table = work, table
        table.append(f"+{work.name}")

    def poll(self):
        self.work.steps -= 1
        if self.work.steps > 0:
            return None
        code = super().poll()
        self.table.append(f"-{self.work.name}")
        return code


@pytest.fixture
def run(monkeypatch):
    """Run works and return what began and ended, in its order, with what failed."""
    table = []

    def run(works, gpus=(None,)):
        by_name = {work.name: work for work in works}
        seen = []

        def begin(arguments, log=None, gpu=None):
            seen.append((arguments[1], log and log.name, gpu))
            return Process(by_name[arguments[1]], table)

        monkeypatch.setattr(running, "start", begin)
        monkeypatch.setattr(running, "PAUSE", 0)
        failed = run_all(works, gpus)
        return " ".join(table), failed, seen

    run.table = table
    return run


def test_one_after_the_other_in_their_order(run, tmp_path, capsys):
    works = [Work(tmp_path, name) for name in "abc"]
    assert run(works) == ("+a -a +b -b +c -c", [], [("a", None, None), ("b", None, None), ("c", None, None)])
    assert [work.released for work in works] == [1, 1, 1]
    printed = capsys.readouterr().out
    assert "\n[2/3] b\nmusiclab fit b\n" in printed
    assert "[2/3] b: score 0 (0:00)" in printed


def test_two_at_once_each_on_a_gpu_of_its_own(run, tmp_path, capsys):
    works = [Work(tmp_path, "a", steps=3), Work(tmp_path, "b", steps=6), Work(tmp_path, "c", steps=2)]
    order, _, seen = run(works, ["0", "1"])
    assert order == "+a +b -a +c -c -b"
    assert seen == [("a", "output.log", "0"), ("b", "output.log", "1"), ("c", "output.log", "0")]
    assert f"[1/3] a: musiclab fit a > {tmp_path / 'a' / 'output.log'}\n" in capsys.readouterr().out


def test_what_needs_another_waits_and_lets_others_by(run, tmp_path):
    works = [Work(tmp_path, "a", needs=["b"]), Work(tmp_path, "b", steps=3), Work(tmp_path, "c", steps=5)]
    assert run(works, [None, None])[0] == "+b +c -b +a -a -c"


def test_what_is_needed_but_not_among_these_is_not_waited_for(run, tmp_path):
    assert run([Work(tmp_path, "a", needs=["elsewhere"])])[0] == "+a -a"


def test_one_that_fails_stops_no_others(run, tmp_path, capsys):
    works = [Work(tmp_path, "a", code=1), Work(tmp_path, "b", code="done"), Work(tmp_path, "c")]
    order, failed, _ = run(works)
    assert (order, failed) == ("+a -a +c -c", ["a"])
    printed = capsys.readouterr().out
    assert "[1/3] a: failed (0:00)" in printed
    assert "[2/3] b: done already" in printed


@pytest.mark.parametrize("told", [True, False])
def test_of_one_that_fails_beside_others_the_error_is_told(told, run, tmp_path, capsys):
    log = tmp_path / "a" / "output.log"
    log.parent.mkdir()
    log.write_text("musiclab fit a\nmusiclab: error: earlier\nmusiclab fit a\nx\n")
    if told:
        log.write_text(f"{log.read_text()}musiclab: error: a bad file\n")
    run([Work(tmp_path, "a", code=1)], [None, None])
    assert f"[1/1] a: failed{': a bad file' if told else f'; see {log}'} (0:00)" in capsys.readouterr().out


def test_a_group_that_is_wrong_is_given_up(run, tmp_path, capsys):
    works = [Work(tmp_path, "a", group="g", code="stop"), Work(tmp_path, "b", group="g"), Work(tmp_path, "c")]
    assert run(works)[:2] == ("+a -a +c -c", ["a"])
    assert "[1/3] a: all of these are wrong\n" in capsys.readouterr().out


def test_an_interrupt_ends_all_that_run(run, tmp_path, monkeypatch):
    works = [Work(tmp_path, "a", steps=9), Work(tmp_path, "b", code=KeyboardInterrupt()), Work(tmp_path, "c")]
    ended = []
    monkeypatch.setattr(Process, "terminate", lambda self: ended.append(f"terminated {self.work.name}"))
    monkeypatch.setattr(Process, "wait", lambda self: ended.append(f"waited {self.work.name}"))
    with pytest.raises(KeyboardInterrupt):
        run(works, [None, None])
    assert ended == ["terminated a", "terminated b", "waited a", "waited b"]
    assert [work.released for work in works] == [1, 1, 0]


def test_a_process_writes_to_its_file_and_sees_its_gpu(tmp_path, monkeypatch):
    script = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], sys.argv[1:]); print('!', file=sys.stderr)"
    popen = running.subprocess.Popen
    monkeypatch.setattr(
        running.subprocess, "Popen", lambda words, **more: popen([words[0], "-c", script, *words[3:]], **more)
    )
    log = tmp_path / "run" / "output.log"
    for _ in range(2):
        assert start(["fit", "a b"], log, "3").wait() == 0
    once = ["musiclab fit 'a b'", "3 ['fit', 'a b']", "!"]
    assert sorted(log.read_text().splitlines()) == sorted(once * 2)


def test_a_folder_is_taken_by_one(tmp_path):
    lock = take(tmp_path / "run")
    assert take(tmp_path / "run") is None
    lock.release()
    again = take(tmp_path / "run")
    assert again
    again.release()


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be caught there")
def test_sigterm_ends_this_process_as_an_interrupt_does():
    before = signal.getsignal(signal.SIGTERM)
    try:
        running.end_by_signal()
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
        assert ended.value.code == 143
    finally:
        signal.signal(signal.SIGTERM, before)

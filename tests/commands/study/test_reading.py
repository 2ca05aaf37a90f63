"""The file of a study: what it says, and what can be wrong with it."""

import re
import textwrap

import pytest
from command_line import REPOSITORY

from musiclab.commands.study.reading import Entry, read_study
from musiclab.errors import UserError
from musiclab.files import own_configs

CNN = "configs: [genre_cnn.yaml]"


@pytest.fixture
def read(tmp_path):
    def read(text, **more):
        path = tmp_path / "mine.yaml"
        path.write_text(textwrap.dedent(text))
        return read_study(path, **more)

    return read


def test_a_run_has_configs_and_options_as_on_a_command_line(read):
    assert read(
        """
        options: {trainer.precision: bf16-mixed, data.limit: 40}
        runs:
          cnn:
            configs: genre_cnn.yaml
            options: {data.limit: 80, data.by_length: true, data.cache: null, model.backbone.channels: [4, 8], a: 1e-4}
        """
    ) == [
        Entry(
            "cnn",
            "cnn",
            ["genre_cnn.yaml"],
            {
                "trainer.precision": "bf16-mixed",
                "data.limit": "80",
                "data.by_length": "true",
                "data.cache": "null",
                "model.backbone.channels": "[4, 8]",
                "a": "1e-4",
            },
            [],
        )
    ]


def test_options_vary_and_their_values_give_the_names(read):
    entries = read(
        f"""
        runs:
          cnn:
            {CNN}
            vary:
              data.features: [mel, chroma]
              configs: {{plain: [], small: quick.yaml}}
              model.backbone.channels: {{narrow: [4, 8]}}
        """
    )
    assert [entry.name for entry in entries] == [
        f"cnn_{features}_{size}_narrow" for features in ("mel", "chroma") for size in ("plain", "small")
    ]
    assert entries[1].configs == ["genre_cnn.yaml", "quick.yaml"]
    assert entries[1].options == {"data.features": "mel", "model.backbone.channels": "[4, 8]"}
    assert {entry.base for entry in entries} == {"cnn"}


def test_seeds_and_folds_of_a_run_of_the_study_and_of_the_command_line(read):
    text = f"""
        seeds: 2
        runs:
          one: {{{CNN}, folds: 5, seeds: [3, 7]}}
          two: {{{CNN}}}
          three: {{{CNN}, search: {{metric: val_accuracy, trials: 2, options: {{a: {{low: 1, high: 2}}}}}}}}
        """
    assert [(entry.seeds, entry.folds) for entry in read(text)] == [([3, 7], 5), ([0, 1], None), (None, None)]
    given = [(entry.seeds, entry.folds) for entry in read(text, seeds=1, folds=3)]
    assert given == [([0], 3), ([0], 3), (None, None)]


def test_anchors_are_no_doubled_names(read):
    entries = read(
        f"""
        runs:
          one: {{{CNN}, options: &base {{data.limit: 3}}}}
          two: {{{CNN}, options: {{<<: *base, data.limit: 4}}}}
          three: {{{CNN}, options: *base}}
        """
    )
    assert [entry.options for entry in entries] == [{"data.limit": "3"}, {"data.limit": "4"}, {"data.limit": "3"}]


@pytest.mark.parametrize("name", own_configs("studies"))
def test_the_studies_that_come_along_can_be_read(name):
    assert read_study(own_configs("studies")[name])


WRONG = {
    "runs: [": "line 1: not YAML",
    "- 1": "the study: [1] where names and values were expected",
    "": "the study: nothing where names and values were expected",
    "runs: {}": "runs is empty",
    "rums: {}": "no key 'rums'; did you mean runs?",
    f"runs: {{a: {{{CNN}, option: {{}}}}}}": "a: no key 'option'; did you mean options?",
    f"runs: {{a: {{{CNN}, xyz: 1}}}}": "no key 'xyz'; there are configs, options,",
    f"runs:\n  a: {{{CNN}}}\n  a: {{{CNN}}}": "line 2: a stands there twice",
    f"runs: {{a_b: {{{CNN}}}, a: {{{CNN}, vary: {{data.features: [b]}}}}}}": "two runs would be called a_b",
    f"runs: {{a: {{{CNN}}}, A: {{{CNN}}}}}": "two runs would be called a; give one another name",
    f"runs: {{a/b: {{{CNN}}}}}": "runs: 'a/b' is no name for a folder",
    f"runs: {{report: {{{CNN}}}}}": "report is the name of something else",
    f"runs: {{1: {{{CNN}}}}}": "runs: 1 is no name for a folder",
    "runs: {a: 3}": "a: 3 where names and values were expected",
    "runs: {a: {options: {}}}": "a: no configs",
    "runs: {a: {configs: [3]}}": "a.configs: 3 where a name was expected",
    "runs: {a: {configs: [genre_cmn.yaml]}}": "genre_cmn.yaml: no such config, neither here nor among those that come "
    "along; did you mean genre_cnn.yaml?",
    f"runs: {{a: {{{CNN}, options: [1]}}}}": "a.options: [1] where names and values were expected",
    f"runs: {{a: {{{CNN}, options: {{x: 2020-01-01}}}}}}": "a.options.x: datetime.date(2020, 1, 1), which no option",
    f"runs: {{a: {{{CNN}, options: {{trainer.default_root_dir: x}}}}}}": "trainer.default_root_dir is what a study",
    f"options: {{ckpt_path: x}}\nruns: {{a: {{{CNN}}}}}": "options: ckpt_path is what a study gives",
    f"runs: {{a: {{{CNN}, folds: 1}}}}": "a.folds: 1; it must be a whole number from 2",
    f"runs: {{a: {{{CNN}, folds: true}}}}": "a.folds: True; it must be a whole number from 2",
    f"folds: five\nruns: {{a: {{{CNN}}}}}": "folds: 'five'; it must be a whole number from 2",
    f"runs: {{a: {{{CNN}, seeds: 0}}}}": "a.seeds: 0; it must be a whole number from 1",
    f"runs: {{a: {{{CNN}, seeds: [1, 1]}}}}": "a.seeds: 1 stands there twice",
    f"runs: {{a: {{{CNN}, seeds: []}}}}": "a.seeds: no seeds",
    f"runs: {{a: {{{CNN}, seeds: [-1]}}}}": "a.seeds: -1; it must be a whole number from 0",
    f"runs: {{a: {{{CNN}, vary: {{x: []}}}}}}": "a.vary.x: no values",
    f"runs: {{a: {{{CNN}, vary: {{x: 3}}}}}}": "a.vary.x: 3 where names and values were expected",
    f"runs: {{a: {{{CNN}, vary: {{x: [[1, 2]]}}}}}}": "a.vary.x, which gives names",
    f"runs: {{a: {{{CNN}, vary: {{configs: [[quick.yaml]]}}}}}}": "a.vary.configs, which gives names",
    f"runs: {{a: {{{CNN}, vary: {{configs: {{b: 3}}}}}}}}": "a.vary.configs: 3 where a name was expected",
    f"runs: {{a: {{{CNN}, seeds: 2, search: {{metric: val_x, trials: 1, options: {{x: {{choices: [1]}}}}}}}}}}": "a: "
    "a search has no seeds or folds",
    f"runs: {{cnn: {{{CNN}}}, a: {{{CNN}, after: cmn}}}}": "a.after: no run is called cmn; did you mean cnn?",
    f"runs: {{a: {{{CNN}, vary: {{x: [u, v]}}}}, b: {{{CNN}, after: a}}}}": "b.after: no run is called a; name a "
    "variation: a_u, a_v",
    f"runs: {{a: {{{CNN}, after: a}}}}": "after makes a circle: a after a",
    f"runs: {{a: {{{CNN}, after: b}}, b: {{{CNN}, after: a}}}}": "after makes a circle: ",
    f'runs: {{a: {{{CNN}, options: {{x: "{{rot}}/d"}}}}}}': "a: {rot} in {rot}/d stands for nothing; did you mean "
    "{root}?",
    f'runs: {{a: {{{CNN}, options: {{x: "{{seed}}"}}}}}}': "a: {seed} in {seed}, but it has no seeds",
    f'runs: {{a: {{{CNN}}}, b: {{{CNN}, options: {{x: "{{a}}"}}}}}}': "b: {a} in {a}, so that it has to be after it",
}


SEARCH = f"{CNN}, search: {{metric: val_x, trials: 1, options: {{model.init_args.a: {{low: 1, high: 2}}}}}}"
WRONG |= {
    f"runs: {{a: {{{CNN}, options: {{x: &a [*a]}}}}}}": "a.options.x: [[...]], which no option takes",
    "[" * 3000: "too many brackets",
    f"runs: {{a: {{{CNN}, seeds: [null]}}}}": "a.seeds: a seed is nothing",
    f"runs: {{a: {{{CNN}, seeds: [4294967296]}}}}": "a.seeds: 4294967296; it must be a whole number from 0 to "
    "4294967295",
    f"runs: {{a: {{{CNN}, seeds: 4294967296}}}}": "a.seeds: 4294967296; it must be a whole number from 1 to 10000",
    f"runs: {{table.csv: {{{CNN}}}}}": "table.csv is the name of something else",
    f"runs: {{Report: {{{CNN}}}}}": "Report is the name of something else",
    "runs: {a: {configs: ['']}}": "a.configs: '' is no file; name a config",
    "runs: {a: {configs: ['.']}}": "a.configs: '.' is no file; name a config",
    f"runs: {{a: {{{CNN}, options: {{'': 1}}}}}}": "a.options: '' is no option",
    f"runs: {{a: {{{CNN}, options: {{-c: x}}}}}}": "a.options: '-c' is no option",
    f"runs: {{a: {{{CNN}, vary: {{'a b': [1]}}}}}}": "a.vary: 'a b' is no option",
    f"runs: {{a: {{{SEARCH.replace('model.init_args.a', 'ckpt_path')}}}}}": "ckpt_path is what a study gives itself",
    f"runs: {{a: {{{SEARCH}, options: {{model.a: 3}}}}}}": "a: model.a is what a searches; give it here or there",
    f"runs: {{a: {{{SEARCH}, options: {{model: B}}}}}}": "a: model and model.init_args.a, which a searches, ",
    f"runs: {{a: {{{SEARCH}, options: {{model.a.init_args.b: 1}}}}}}": "would change each other; put model.a.init",
    f"options: {{model.a: 3}}\nruns: {{a: {{{SEARCH}}}}}": "a: model.a is what a searches",
    f"runs: {{a: {{{SEARCH}}}, b: {{after: a, configs: ['{{a}}'], options: {{model.a: 3}}}}}}": "b: model.a is what a",
    f"runs: {{a: {{{SEARCH.replace('model.init_args.a', 'seed_everything')}}}, "
    "b: {after: a, configs: ['{a}'], seeds: 2}}": "b: seed_everything is what a searches",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_what_is_wrong_is_said_in_a_line_with_the_file(text, said, read, tmp_path):
    with pytest.raises(UserError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(UserError, match="not a file"):
        read_study(tmp_path)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a study, which is text in YAML"):
        read_study(tmp_path / "x.yaml")


def test_the_files_in_the_docs_can_be_read(read):
    blocks = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs" / "studies.md").read_text(), re.DOTALL)
    names = [[entry.name for entry in read(block)] for block in blocks]
    losses = [f"losses_{features}_{loss}" for features in ("mel", "chroma", "fused") for loss in ("mse", "spearman")]
    assert names == [["genre_cnn", "transfer", *losses], ["search", "found"]]

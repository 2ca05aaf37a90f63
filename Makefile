# Everything runs in a virtual environment of its own, .venv; `make help` lists what there is.
# On Windows it takes a shell such as Git's.
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif
LOWEST := $(subst .venv,.venv-lowest,$(BIN))
INSTALLED := .venv/.installed
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo reproduce pictures test test-all test-lowest lint format bench bench-gpu clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(INSTALLED) ## make .venv and install musiclab in it, with the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup ## make music, train on genres, then on emotions from there, ask both about songs: 4 minutes on two cores
	@set -e; export LC_NUMERIC=C; run() { printf '\n$$ musiclab %s\n' "$$*"; $(BIN)/musiclab "$$@"; }; \
	latest() { ls -td lightning_logs/version_* | head -n 1; }; \
	score() { sed -n "s/.*\"$$1\": \([0-9.]*\).*/\1/p" $$2/test_metrics.json; }; \
	run demo-data demo --beats false; \
	run fit -c configs/genre_cnn.yaml -c configs/quick.yaml --data.root demo/fma_genre_spectrograms; genre=$$(latest); \
	run predict --ckpt_path $$genre/checkpoints/best.ckpt --data AudioDataModule --data.paths demo/songs; \
	run fit -c configs/emotion_transfer.yaml -c configs/quick.yaml --data.root demo/multitask_dataset \
		--model.pretrained $$genre/checkpoints/best.ckpt; emotion=$$(latest); \
	run predict --ckpt_path $$emotion/checkpoints/best.ckpt --data AudioDataModule --data.paths demo/songs; \
	run report $$genre $$emotion --out demo/report; \
	printf '\nGenre model: test accuracy %.3f; the largest of its 8 genres is 0.148 of the tracks (%s)\n' \
		"$$(score test_accuracy $$genre)" "$$genre"; \
	printf 'Emotion model: mean Spearman %.3f, valence %.3f, energy %.3f, danceability %.3f (%s)\n' \
		"$$(score test_spearman $$emotion)" "$$(score test_spearman_valence $$emotion)" \
		"$$(score test_spearman_energy $$emotion)" "$$(score test_spearman_danceability $$emotion)" "$$emotion"; \
	printf 'Songs to listen to, of which both have told: demo/songs\nReport to open in a browser: demo/report/report.html\n'

reproduce: setup ## train all models of the lab on ROOT=DIR and report (without ROOT: short runs on the demo corpus)
	$(BIN)/musiclab study studies/lab.yaml $(if $(ROOT),--root "$(ROOT)",--out runs/lab_short \
		--options "--data.limit 80 --trainer.max_epochs 2") $(ARGS)

pictures: setup ## make the pictures of the docs anew (ARGS="--genre CKPT --emotion CKPT" trains no models)
	$(BIN)/python docs/pictures.py $(ARGS)

test: setup ## run the tests, but for the slow ones: 10 to 15 minutes on two cores
	$(BIN)/pytest $(SIDE_BY_SIDE)

test-all: setup ## run all tests
	$(BIN)/pytest $(SIDE_BY_SIDE) -m ''

test-lowest: ## run the tests with the lowest versions allowed, in .venv-lowest (PYTHON=python3.11 has wheels of all)
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/pip install --quiet --disable-pip-version-check --prefer-binary --constraint constraints-lowest.txt \
		$(shell grep '^torch==' constraints.txt) --editable '.[test]'
	$(LOWEST)/pytest $(SIDE_BY_SIDE)

lint: setup ## check style and types, for all three systems at once: a minute, then seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs=3 $(addprefix types-,linux win32 darwin)

types-%:
	$(BIN)/mypy --platform $* --cache-dir .mypy_cache/$*

format: setup ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure against the plain way, side by side (BENCH=--quick for a small run)
	$(BIN)/python tests/benchmarks/bench_training.py $(BENCH)
	$(BIN)/python tests/benchmarks/bench_steps.py $(BENCH)
	$(BIN)/python tests/benchmarks/bench_pooled_norm.py $(BENCH)
	$(BIN)/python tests/benchmarks/bench_loading.py $(BENCH)
	$(BIN)/python tests/benchmarks/bench_scale.py $(BENCH)
	$(BIN)/python tests/benchmarks/bench_extract.py $(BENCH)
	$(BIN)/python tests/benchmarks/bench_soft_rank.py $(BENCH)

bench-gpu: ## measure on a GPU, in 8 minutes; without .venv it needs no setup (WHEELS=DIR for packages that are missing)
	@set -e; python=$(BIN)/python; [ -x $$python ] || python=$(PYTHON); \
	site=$$(mktemp -d); trap 'rm -rf "$$site"' EXIT; \
	$(if $(WHEELS),$$python -m pip install --quiet --no-index --no-deps --target "$$site" "$(WHEELS)"/*.whl;) \
	PYTHONPATH="$$site$${PYTHONPATH:+:$$PYTHONPATH}" $$python tests/benchmarks/bench_gpu.py $(BENCH)

clean: ## remove .venv and what tools leave behind; runs and data stay
	rm -rf .venv .venv-lowest build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

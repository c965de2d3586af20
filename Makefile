# Two commands set everything up on a fresh machine with Python 3.11+ and make:
#   make leaderboard    the main job on the bundled sample
#   make test           the whole default test suite
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Half of the suite waits for subprocesses; one worker a core is right.
WORKERS ?= auto

.PHONY: help install dev leaderboard test test-slow bench pretraining pretraining-base adaptation social haha lint format clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tweetclf needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[fast,embeddings]"
	@touch $@

$(VENV)/.developed: setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[all,dev]"
	@touch $@ $(VENV)/.installed

## make install      virtual environment with what the leaderboard needs
install: $(VENV)/.installed

## make dev          virtual environment with the extras, tests, lint and types
dev: $(VENV)/.developed

## make leaderboard  run the classical systems on the bundled sample, write report/
leaderboard: $(VENV)/.installed
	$(BIN)/tweetclf leaderboard

## make test         the default test suite, doctests included
test: $(VENV)/.developed
	$(BIN)/python -m pytest -n $(WORKERS) tests tweetclf --doctest-modules --doctest-continue-on-failure

## make test-slow    the tests marked slow
test-slow: $(VENV)/.developed
	$(BIN)/python -m pytest -n $(WORKERS) -m slow tests

## make bench        measure speed and memory beside the peers, write benchmarks/performance/results
bench: $(VENV)/.developed
	$(BIN)/python benchmarks/performance/run.py

## make pretraining  two small TWilBERTs, with and without reply order, fine-tuned and analysed
pretraining: $(VENV)/.developed
	$(BIN)/tweetclf pretrain benchmarks/pretraining/rop.toml
	$(BIN)/tweetclf pretrain benchmarks/pretraining/plain.toml
	$(BIN)/tweetclf leaderboard --config benchmarks/pretraining/leaderboard.toml \
		--store build/pretraining/runs --output build/pretraining/report
	$(BIN)/tweetclf analyze build/pretraining/rop/model --compare build/pretraining/plain/model \
		--texts build/pretraining/rop/corpus/texts/validation.jsonl.gz \
		--pairs build/pretraining/rop/corpus/pairs/validation.jsonl.gz \
		--report build/pretraining/analysis.html

## make pretraining-base  the same at TWilBERT's Base size, for a GPU (after: make pretraining)
pretraining-base: $(VENV)/.developed
	$(BIN)/tweetclf pretrain benchmarks/pretraining/base-rop.toml
	$(BIN)/tweetclf pretrain benchmarks/pretraining/base-plain.toml
	$(BIN)/tweetclf leaderboard --config benchmarks/pretraining/base-leaderboard.toml \
		--store build/pretraining/base-runs --output build/pretraining/base-report
	$(BIN)/tweetclf leaderboard --config benchmarks/pretraining/base-haha.toml \
		--store build/pretraining/base-runs --output build/pretraining/base-haha-report
	$(BIN)/tweetclf analyze build/pretraining/base-rop/model --compare build/pretraining/base-plain/model \
		--texts build/pretraining/rop/corpus/texts/validation.jsonl.gz \
		--pairs build/pretraining/rop/corpus/pairs/validation.jsonl.gz \
		--report build/pretraining/base-analysis.html

## make adaptation   a small BERT from a general to a tweet vocabulary, with and without migration
adaptation: $(VENV)/.developed
	PATH="$(abspath $(BIN)):$$PATH" sh benchmarks/pretraining/adaptation.sh build/pretraining

## make social       Twitter15: graph, embedding, pairs, encoders, tasks; does the social objective help?
social: $(VENV)/.developed
	$(BIN)/python benchmarks/social/twitter15.py --data $${TWEETCLF_DATA:-../shared/data} --out build/social

## make haha         HAHA 2019: ULMFiT and a small BERT, pre-trained here, beside NBSVM and Atalaya
haha: $(VENV)/.developed
	$(BIN)/python benchmarks/accuracy/haha_ulmfit.py --data-dir $${TWEETCLF_DATA:-../shared/data} \
		--work build/haha/ulmfit --fold
	$(BIN)/tweetclf pretrain benchmarks/accuracy/haha-bert.toml
	$(BIN)/tweetclf leaderboard --config benchmarks/accuracy/haha-neural.toml \
		--store build/haha/runs --output build/haha/report

## make lint         ruff and mypy
lint: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## make format       let ruff format and mend
format: $(VENV)/.developed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

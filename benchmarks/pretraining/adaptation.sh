#!/bin/sh
# From a general to a tweet vocabulary, in small: a BERT is learnt from general Japanese
# sentences (the training splits of JCoLA and JSTS) and put on a vocabulary learnt from
# the training tweets of WRIME, with and without its old rows, at equal steps. Both
# commands go on where they were if they are started again.
#
#   sh benchmarks/pretraining/adaptation.sh [FOLDER]
#
# FOLDER (build/pretraining) gets `general`, and `adapted` with adaptation.json,
# comparison.json and comparison.svg. TWEETCLF_DATA names the folder of the datasets.
set -eu
out=${1:-build/pretraining}

if [ ! -e "$out/general" ]; then
  tweetclf pretrain bert --corpus task:jcola --corpus task:jsts --out "$out/general" \
    --vocab-size 4000 --hidden-size 128 --layers 2 --heads 2 --max-length 116 \
    --epochs 12 --batch-size 64 --learning-rate 1e-3
fi
if [ ! -e "$out/adapted" ]; then
  # The study's settings, but for the rate and the steps: a model of this size learns
  # next to nothing in a thousand steps at 1e-4.
  tweetclf adapt "$out/general" --corpus task:wrime-joy --out "$out/adapted" \
    --kind bpe --vocab-size 4000 --epochs 6 --learning-rate 1e-3 --compare
fi

#!/usr/bin/env bash
# Every command from data to released weights, in order; stopped at any point, it goes on there.
#
#   train/reproduce.sh FACES VIDEOS IMAGENET OUT [--quick]
#
# FACES     folder with dfdc_train-*.parquet, dfdc_val.parquet, real_stills.parquet and
#           synthetic_stills.parquet (column `image` holds encoded pictures)
# VIDEOS    folder with train/real/*.mp4 and labels.csv (file,label,method,identity,split)
# IMAGENET  state dict of EfficientNet-Lite0, in timm's order of tensors
# OUT       folder for all that is made; the weights come to OUT/weights
# --quick   about 15 minutes on two cores: shows that the recipe works, not how well
set -euo pipefail

faces=$1 videos=$2 imagenet=$3 out=$4
steps=2400 clips=1500 frames="20 10 100" judge=400
if [ "${5:-}" = "--quick" ]; then
  steps=500 clips=200 frames="20" judge=250
fi

# A thread that waits must not spin, and freed memory stays with the process: a third faster.
export OMP_WAIT_POLICY=PASSIVE MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000

python -m train.index --out "$out/table.parquet" --shares 0.8 0.2 0 \
  --crops $(printf "%s:train " "$faces"/dfdc_train-*.parquet) "$faces/dfdc_val.parquet:val" \
  --stills "$faces/real_stills.parquet" "$faces/synthetic_stills.parquet" \
  --videos "$videos/train"

python -m train.prepare --table "$out/table.parquet" --out "$out/shards" --workers 2

python -m train.fit --shards "$out/shards" --out "$out/fast" --stage frames \
  --init "$imagenet" --steps "$steps" --rate 5e-4 --judge-every "$judge"

python -m train.fit --shards "$out/shards" --out "$out/fast" --stage clips \
  --steps 600 --clips "$clips" --frames 6 --rate 3e-4 --judge-every 50

python -m train.evaluate --run "$out/fast" --shards "$out/shards" --frames $frames --social \
  --videos "$videos/labels.csv" --split val --out "$out/fast/results.json" \
  --group "swap and reenactment=FFpp-Deepfakes,FFpp-Face2Face,FFpp-FaceSwap,FFpp-NeuralTextures,DFDC" \
  --group "talking heads=EDTalk,StyleHEAT,AniPortrait"

python -m train.publish --run "$out/fast" --shards "$out/shards" --id fast \
  --results "$out/fast/results.json" --out "$out/weights" \
  --trained-on "DFDC face crops; pseudo-fakes from real stills and 30 real clips; StyleGAN stills."

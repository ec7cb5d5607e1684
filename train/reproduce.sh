#!/usr/bin/env bash
# Every command from data to published weights, in order; stopped at any point, it goes on there.
# The released weights came by this recipe over several days, in which the code changed (see LOG.md),
# so the same bytes are not to be expected.
#
#   train/reproduce.sh FACES VIDEOS IMAGENET OUT [--quick]
#
# FACES     folder with dfdc_train-*.parquet, dfdc_val.parquet, real_stills.parquet and
#           synthetic_stills.parquet (column `image` holds encoded pictures)
# VIDEOS    folder with train/real/*.mp4 and labels.csv (file,label,method,identity,split)
# IMAGENET  state dict of EfficientNet-Lite0, in timm's order of tensors, or "hub"
# OUT       folder for all that is made; the weights come to OUT/weights
# --quick   eight minutes on two cores: shows that the recipe works, not how well (all of it: about
#           four hours)
set -euo pipefail

faces=$1 videos=$2 imagenet=$3 out=$4 quick=${5:-}
shards=$out/shards run=$out/fast

# A thread that waits must not spin, and freed memory stays with the process: a third faster.
export OMP_WAIT_POLICY=PASSIVE MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000

python -m train.index --out "$out/table.parquet" --shares 0.8 0.2 0 \
  --crops $(printf "%s:train " "$faces"/dfdc_train-*.parquet) "$faces/dfdc_val.parquet:val" \
  --stills "$faces/real_stills.parquet" "$faces/synthetic_stills.parquet" \
  --videos "$videos/train"

python -m train.prepare --table "$out/table.parquet" --out "$shards" --workers 2

if [ "$quick" = "--quick" ]; then
  python -m train.fit --shards "$shards" --out "$run" --stage frames \
    --init "$imagenet" --steps 500 --rate 5e-4 --judge-every 250
  clips=200 look=(--frames 20)
else
  # Small pictures and late layers; larger pictures and all but the stem and the first stage; half of
  # all pairs as social networks leave them; real faces that alone have one upload more behind them,
  # from the mean of what came before. Every run begins where `--init` says.
  fit() {
    local name=$1; shift
    python -m train.fit --shards "$shards" --out "$out/$name" --stage frames "$@"
  }
  large=(--size 192 --freeze 1)
  fit first --init "$imagenet" --steps 2600 --rate 5e-4
  fit second --init "$out/first/frames.best.safetensors" "${large[@]}" --seed 1 \
    --steps 4500 --rate 5e-4 --judge-every 500
  fit third --init "$out/second/frames.best.safetensors" "${large[@]}" --seed 2 \
    --steps 3000 --rate 4e-4 --judge-every 300 --uploads 0.5
  fit fourth --init "$out/third/frames.best.safetensors" "${large[@]}" --seed 3 \
    --steps 1600 --rate 4e-4 --uploads 0.5
  python -m train.average "$out/second" "$out/third" "$out/fourth" --out "$out/mean"
  # Judged at its end alone: the end did better on videos after a transcode than the best on DFDC.
  fit fifth --init "$out/mean/frames.best.safetensors" "${large[@]}" --seed 4 \
    --steps 4200 --rate 4e-4 --uploads 0.5 --real-uploads 0.3 --judge-every 4200
  python -m train.average "$out/third" "$out/fifth" --out "$run"
  clips=1500 look=(--frames 20 10 100 --social --perturb 5 --controls "$imagenet")
fi

how=(); [ "$quick" = "--quick" ] || how=(--size 192 --uploads 0.5 --real-uploads 0.3)
python -m train.fit --shards "$shards" --out "$run" --stage clips "${how[@]}" \
  --steps 800 --clips "$clips" --frames 6 --rate 3e-4 --judge-every 50

python -m train.evaluate --run "$run" --shards "$shards" "${look[@]}" \
  --videos "$videos/labels.csv" --split val --out "$run/results.json" \
  --group "swap and reenactment=FFpp-Deepfakes,FFpp-Face2Face,FFpp-FaceSwap,FFpp-NeuralTextures,DFDC" \
  --group "talking heads=EDTalk,StyleHEAT,AniPortrait"

python -m train.plots --run "$run" --results "$run/results.json" --out "$run/plots"

python -m train.publish --run "$run" --shards "$shards" --id fast \
  --results "$run/results.json" --about "$(dirname "$0")/fast.about.json" --out "$out/weights" \
  --trained-on "DFDC face crops; pseudo-fakes from real portraits (US Congress, FFHQ, UTKFace) and short real clips; faces by StyleGAN."

# What real faces show in each part of the face, into the card: after every release of weights.
python -m train.regions --weights "$out/weights/fast.safetensors" --shards "$shards"

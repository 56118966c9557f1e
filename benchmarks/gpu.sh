#!/usr/bin/env bash
# What a quarter of an hour with an NVIDIA GPU is for: the tests that need one, speed, and what trainings come to.
#
#   pip install '.[test]' && benchmarks/gpu.sh                # under 8 minutes, that of --emoji included
#   benchmarks/gpu.sh --install                               # the same on a machine that has Python and torch alone
#   benchmarks/gpu.sh --emoji sets/emoji-64.npz               # a training on these, too; picture_sets.py makes them
#   benchmarks/gpu.sh --rehearse                              # every part for a moment, GPU or not: a test of this script
#
# Each part has a time limit and a log of its own under $OUT (./gpu-results); one that fails is told of at the end, and the others
# run all the same. Exit code: 0 if every part went well, or there is no GPU.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

python=${PYTHON:-python3} out=${OUT:-./gpu-results} install='' emoji='' rehearse=''
while [ $# -gt 0 ]; do
  case $1 in
    --install) install=1 ;;
    --rehearse) rehearse=1 ;;
    --emoji) emoji=${2:?--emoji takes a file or folder}; shift ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
  shift
done
# What is tried is this checkout, whichever is installed.
export PYTHONPATH="$PWD:$PWD/plugins${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
runs=$(mktemp -d) || exit 2
trap 'rm -rf "$runs"' EXIT
limit=470
summary=() failed=0

# part NAME SECONDS COMMAND…: its output in NAME.log; never longer than what is left of the limit of all.
part() {
  local name=$1 most=$2 begun=$SECONDS code
  shift 2
  [ "$most" -le $((limit - SECONDS)) ] || most=$((limit - SECONDS))
  if [ "$most" -lt 5 ]; then
    summary+=("$name: no time was left")
    failed=1
    return
  fi
  printf '== %s (at most %s s)\n' "$name" "$most"
  timeout --kill-after=10 "$most" "$@" >"$out/$name.log" 2>&1 </dev/null
  code=$?
  [ "$code" = 0 ] || failed=1
  summary+=("$name: exit code $code$([ "$code" != 124 ] || echo ' (time limit)'), $((SECONDS - begun)) s")
}

# tests NAME SECONDS FILE…: a list of what failed beside the log.
tests() {
  local name=$1 most=$2
  shift 2
  # Each test's outcome as it comes: what failed is known even if time runs out before the summary.
  part "$name" "$most" "$python" -m pytest -v -ra -p no:cacheprovider "${workers[@]}" --junitxml="$out/$name.xml" "$@"
  [ -f "$out/$name.log" ] || return
  grep -E '^(FAILED|ERROR) ' "$out/$name.log" >"$out/$name-failed.txt" ||
    grep -E '(FAILED|ERROR) +tests/|tests/.* (FAILED|ERROR)' "$out/$name.log" >"$out/$name-failed.txt"
  while read -r line; do summary+=("    $line"); done <"$out/$name-failed.txt"
  summary+=("    $(tail -n 1 "$out/$name.log")")
}

# training NAME SECONDS BUDGET DATA: dcgan on it; the run's records and sheets are kept, its checkpoints are not.
training() {
  local name=$1 most=$2 budget=$3 data=$4 file
  part "$name" "$most" "$python" -m ganzoo train dcgan --data "$data" --budget "$budget" --out "$runs/$name"
  mkdir -p "$out/$name"
  for file in config.json metrics.jsonl reals.png samples model; do
    [ ! -e "$runs/$name/$file" ] || cp -r "$runs/$name/$file" "$out/$name/"
  done
  summary+=("    $(wc -l 2>/dev/null <"$out/$name/metrics.jsonl" || echo 0) lines of records; the last: $(tail -n 1 "$out/$name/metrics.jsonl" 2>/dev/null)")
}

if [ -n "$install" ]; then part install 200 "$python" -m pip install -e '.[test]'; fi
if ! "$python" -c 'import torch' 2>"$out/torch.log"; then
  echo "$python cannot import torch: $(tail -n 1 "$out/torch.log")" >&2
  exit 2
fi
if [ -z "$rehearse" ] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "no GPU: skipped"
  exit 0
fi
workers=()
if "$python" -c 'import xdist' 2>/dev/null; then workers=(-n auto --maxprocesses 8); fi

rounds=(--rounds 2 --seconds 0.5) short=30s long=3m
if [ -n "$rehearse" ]; then rounds=(--rounds 1 --seconds 0.1 mlp) short=3s long=3s; fi
# Those with all 60,000 pictures where they can be had; the 10,000 that ship are everywhere.
data=fashion-mnist
"$python" -m ganzoo train dcgan --data "$data" --dry-run >"$out/data.log" 2>&1 || data=fashion-mnist-10k

tests tests-gpu 90 tests/training/test_graphs.py tests/data/test_store.py
training dcgan-fashion-mnist 75 "$short" "$data"
part score 60 "$python" -m ganzoo evaluate "$runs/dcgan-fashion-mnist" --data fashion-mnist-10k
[ -f "$out/score.log" ] && summary+=("    trained on $data: $(tr -s '\n ' ' ' <"$out/score.log")")
part speed 120 "$python" benchmarks/train_speed.py --no-memory "${rounds[@]}"
if [ -n "$emoji" ]; then training dcgan-emoji 215 "$long" "$emoji"; fi
tests tests-training 200 tests/training

{
  "$python" -c '
import platform, torch
card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
print(f"{card}; torch {torch.__version__}, CUDA {torch.version.cuda}; Python {platform.python_version()}")'
  printf '%s\n' "${summary[@]}"
  echo "$SECONDS s in all; results are in $out"
} 2>&1 | tee "$out/summary.txt"
exit "$failed"

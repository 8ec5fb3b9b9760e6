#!/usr/bin/env bash
# The long forms of the tests, in blocks that can be interrupted: what has passed on this commit is remembered under
# target/long and not run again. What it prints at the end can be pasted into docs/tests.md.
#
#   tests/long.sh                 everything that is not done yet
#   tests/long.sh crash           only the blocks whose names begin so: sim, group, reach, crash, flood, fuzz
#   tests/long.sh --list          the blocks, and which of them have passed
#   FUZZ_SECONDS=60 tests/long.sh fuzz
#
# It is nice, and stops at the first block that fails; its log stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=$(git rev-parse --short HEAD)
[[ -z $(git status --porcelain --untracked-files=no) ]] || commit+="+"
state=target/long/$commit
mkdir -p "$state"
fuzz_seconds=${FUZZ_SECONDS:-600}

# name ‖ first seed ‖ scale ‖ command. Blocks of some minutes each; together the numbers that docs/tests.md names.
blocks() {
    local seed target
    for seed in $(seq 100 10 220); do
        echo "crash-kill-$seed $seed 10 crash survives_a_kill"
    done
    for seed in $(seq 300 10 420); do
        echo "crash-cut-$seed $seed 10 crash survives_a_power_cut"
    done
    for seed in 500 505; do
        echo "crash-large-$seed $seed 5 crash large_messages"
    done
    for seed in 600 601 602 603 604; do
        echo "crash-points-$seed $seed 1 crash every_failpoint"
    done
    echo "crash-init-700 700 20 crash init::"
    # Some 150 s of processor time each: a storm runs 10 to 30 seeds of a block.
    for seed in $(seq 100 30 370); do
        echo "sim-storms-$seed $seed 10 sim storm"
    done
    # 120 seeds of a block: clocks, copies put back and standings.
    for seed in $(seq 1000 120 3880); do
        echo "sim-back-$seed $seed 10 sim back::"
    done
    echo "sim-model 0 100 model session::tests::model"
    echo "sim-store 0 100 model store::open"
    # A hundred thousand histories of groups beside the model of them.
    for seed in 1 2 3 4 5; do
        echo "group-model-$seed $seed 10 model group::tests::random_histories"
    done
    # A million messages and how far they have come, deleted, with death and a power cut at each failpoint: 15 GiB of disk pass by.
    echo "slots-million 0 256 model a_conversation_of_any_length"
    # Across networks: cities in one process, a crowd of real nodes, the lab (as root).
    for seed in 200 202 204 206 208; do
        echo "reach-city-$seed $seed 2 sim a_city_of"
    done
    for seed in 300 301; do
        echo "reach-large-city-$seed $seed 1 large a_large_city"
    done
    for seed in 1 2 3; do
        echo "reach-crowd-$seed 0 1 process dht::"
        echo "reach-nat-$seed 0 1 nat reach::"
    done
    # What strangers can use up, at full size: some twenty minutes each.
    for flood in flood::handshakes_that_say_nothing flood::boxes_under_fresh_keys dht::cards_of_one_network; do
        echo "flood-${flood#*::} 0 100 process $flood"
    done
    if [[ -d fuzz/fuzz_targets ]]; then
        for target in fuzz/fuzz_targets/*.rs; do
            target=$(basename "$target" .rs)
            echo "fuzz-$target 0 1 fuzz $target"
        done
    fi
}

# What runs in virtual time waits for nothing but the processor: our own code is optimised, too, with all assertions.
simulate() { nice -n 19 cargo test --locked --profile sim --no-default-features "$@"; }

run() { # command, filter
    case $1 in
        crash) nice -n 19 cargo test --locked --features failpoints --test crash -- --nocapture "$2" ;;
        sim) simulate --test sim -- --nocapture "$2" ;;
        large) simulate --test sim -- --nocapture --ignored "$2" ;;
        process) nice -n 19 cargo test --locked --test process -- --nocapture "$2" ;;
        nat) ROHRPOST_REQUIRE_NETNS=1 nice -n 19 cargo test --locked --test nat "$2" ;;
        model) simulate --lib -- --nocapture "$2" ;;
        fuzz) nice -n 19 cargo +nightly fuzz run "$2" -- -max_total_time="$fuzz_seconds" -len_control=0 ;;
    esac
}

only=${1:-}
if [[ $only == --list ]]; then
    blocks | while read -r name _; do
        printf '%s %s\n' "$([[ -e $state/$name.passed ]] && echo passed || echo open..)" "$name"
    done
    exit
fi

while read -r name seed scale command filter <&3; do
    [[ $name == "$only"* && ! -e $state/$name.passed ]] || continue
    printf '%s: ' "$name"
    started=$SECONDS
    unset ROHRPOST_TEST_SEED
    # Only what has seeds of its own takes a first one.
    [[ $seed == 0 ]] || export ROHRPOST_TEST_SEED=$seed
    if ! ROHRPOST_TEST_SCALE=$scale run "$command" "$filter" >"$state/$name.log" 2>&1; then
        printf 'FAILED after %d s; the log is %s\n' "$((SECONDS - started))" "$state/$name.log"
        tail -n 20 "$state/$name.log"
        exit 1
    fi
    # What the tests say of themselves, or how many there were.
    said=$(grep -ho 'crash [a-z]*: seeds.*' "$state/$name.log" | paste -sd';' || true)
    [[ -n $said ]] || said=$(grep -hE '; memory .* MiB, disk |^cards: ' "$state/$name.log" | paste -sd';' || true)
    [[ -n $said ]] || said=$(grep -ho 'city: .*' "$state/$name.log" | paste -sd';' || true)
    [[ -n $said ]] || said=$(grep -ho 'group model: .*' "$state/$name.log" | paste -sd';' || true)
    [[ -n $said ]] || said=$(grep -ho '[1-9][0-9]* passed' "$state/$name.log" | paste -sd',' || true)
    [[ -n $said ]] || said=$(grep -ho 'Done [0-9]* runs.*' "$state/$name.log" || true)
    printf '| %s | %s | %s | %s | scale %d | %s; %d s |\n' "$(date +%F)" "$commit" "$name" \
        "$([[ $seed == 0 ]] && echo fixed || echo "from $seed")" "$scale" "$said" "$((SECONDS - started))" \
        >"$state/$name.passed"
    printf '%s; %d s\n' "$said" "$((SECONDS - started))"
done 3< <(blocks)

printf '\nOn %s, for docs/tests.md:\n\n| date | commit | block | seeds | scale | result |\n|---|---|---|---|---|---|\n' "$(uname -srm)"
cat "$state"/*.passed

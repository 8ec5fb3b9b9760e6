#!/usr/bin/env python3
"""Two checkouts against each other: their benches run in alternation, and the median of each figure counts.

    benches/compare.py BEFORE AFTER [--pairs 5] [--bench node] [part ...]

BEFORE and AFTER are folders of this repository at two commits (`git worktree add`). Both are built first. Then the bench runs
A B, B A, A B …, since a machine changes its pace; all values are listed, with the ratio of the medians. Parts are those of the bench
(`ready`, `latency`, `burst`, `million`); for `--bench core` they are criterion's filters. A bench that prints no table is taken
by criterion's lines.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys

UNITS = {"µs": 1e-6, "us": 1e-6, "ns": 1e-9, "ms": 1e-3, "s": 1.0, "B": 1.0, "KB": 1e3, "MiB": 2.0**20, "GiB": 2.0**30, "/s": 1.0, "": 1.0}
NUMBER = re.compile(r"(-?[\d,]*\.?\d+)\s*(µs|us|ns|ms|s\b|KB|MiB|GiB|B\b|/s|)")


def built(folder, bench):
    """The program of a bench, compiled."""
    command = ["cargo", "bench", "--locked", "--bench", bench, "--no-run", "--message-format", "json"]
    out = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in out.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == bench:
            return message["executable"]
    sys.exit(f"{folder}: no bench {bench}")


def value(text):
    """A figure in its base unit, or nothing."""
    found = NUMBER.search(text)
    return float(found[1].replace(",", "")) * UNITS[found[2]] if found else None


def figures(program, folder, parts):
    """What one run says: name of the row → (text, value)."""
    done = subprocess.run([program, "--bench", *parts], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    rows = {}
    name = None
    for line in done.stdout.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1] not in ("what", "---"):
            rows[cells[1]] = cells[2]
            for i, beside in enumerate(re.findall(r"\[([^]]*)\]", cells[3])):
                rows[f"{cells[1]} · {i + 1}"] = beside
        if found := re.match(r"(\S.*?)?\s+time:\s+\[\S+ \S+ (\S+ [µnm]?s) ", line):
            rows[found[1] or name] = found[2]
        elif line and not line.startswith(" "):
            name = line.strip()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--bench", default="node")
    parser.add_argument("parts", nargs="*")
    args = parser.parse_intermixed_args()

    sides = [args.before, args.after]
    programs = [built(side, args.bench) for side in sides]
    seen = [{}, {}]
    for pair in range(args.pairs):
        for side in (0, 1) if pair % 2 == 0 else (1, 0):
            print(f"pair {pair + 1} of {args.pairs}: {sides[side]}", file=sys.stderr)
            for row, text in figures(programs[side], sides[side], args.parts).items():
                seen[side].setdefault(row, []).append(text)

    print("| what | before | after | after ÷ before |\n|---|---|---|---|")
    for row in dict.fromkeys([*seen[0], *seen[1]]):
        cells, medians = [], []
        for side in seen:
            texts = side.get(row, [])
            numbers = [number for number in map(value, texts) if number is not None]
            medians.append(statistics.median(numbers) if numbers else None)
            middle = min(texts, key=lambda text: abs((value(text) or 0) - (medians[-1] or 0)), default="–")
            cells.append(f"**{middle}** ({', '.join(texts)})" if texts else "–")
        ratio = f"{medians[1] / medians[0]:.2f}" if medians[0] and medians[1] is not None else "–"
        print(f"| {row} | {cells[0]} | {cells[1]} | {ratio} |")


if __name__ == "__main__":
    main()

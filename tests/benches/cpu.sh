#!/usr/bin/env bash
# CPU time (user + system) of one run of the release binary over that of an empty program (`true`), as a table.
#
#     cargo build --release && tests/benches/cpu.sh [BINARY]
#
# It reads `times` of whole batches, so it needs bash alone. The figure is the smallest batch mean: other work on the
# machine only ever adds to it. Wall time is not shown: on a shared machine it says nothing. It is a bench, not a test,
# and fails nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly BINARY=${1:-target/release/openmux} batches=${BATCHES:-15} runs=${RUNS:-20}
[[ -x $BINARY ]] || { echo "$BINARY is missing: cargo build --release" >&2; exit 2; }

# A home of its own, and no key: nothing of this machine is read.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
for name in $(compgen -e); do
    [[ $name == PATH ]] || unset "$name"
done
export HOME=$home LC_ALL=C.UTF-8 COLUMNS=120

# Microseconds of CPU that one run takes.
cost() {
    local TIMEFORMAT='%U %S' smallest='' spent user system run
    for _ in $(seq "$batches"); do
        spent=$({ time for ((run = 0; run < runs; run++)); do "$@" </dev/null >/dev/null 2>&1 || true; done; } 2>&1)
        read -r user system <<<"$spent"
        spent=$(((10#${user/./} + 10#${system/./}) * 1000 / runs))
        if [[ -z $smallest ]] || ((spent < smallest)); then smallest=$spent; fi
    done
    printf '%s' "$smallest"
}

# The catalog of the program as a list in the form of models.dev: what an update is made of, without a network.
list() {
    sort -t $'\t' -k1,1 -k2,2 src/catalog/builtin/endpoints.tsv | awk -F '\t' '
        function price(code,  parts, i) {
            split($6, parts, ";")
            for (i in parts) if (index(parts[i], code "=") == 1) return substr(parts[i], length(code) + 2)
            return ""
        }
        $1 != provider { printf "%s\"%s\":{\"id\":\"%s\",\"models\":{", provider == "" ? "{" : "}},", $1, $1; provider = $1; wire = ""; comma = "" }
        $2 != wire {
            wire = $2
            printf "%s\"%s\":{\"id\":\"%s\"", comma, wire, wire
            input = price("i"); output = price("o")
            if (input != "" && output != "") printf ",\"cost\":{\"input\":%s,\"output\":%s}", input, output
            if ($7 != "") printf ",\"limit\":{\"context\":%s}", $7
            printf "}"
            comma = ","
        }
        END { print "}}}" }'
}

milliseconds() {
    printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10))
}

# Target in milliseconds, then the arguments.
row() {
    local target=$1 over verdict=ok
    shift
    over=$(($(cost "$BINARY" "$@") - empty))
    ((over < 0)) && over=0
    ((over <= target * 1000)) || verdict=MISSED
    printf '%-52s %9s %9s  %s\n' "openmux $*" "$(milliseconds "$over")" "$target" "$verdict"
}

# Every row, under a heading.
table() {
    printf '%-52s %9s %9s\n' "$1" measured 'at most'
    row 3 --version
    row 3 --help
    row 3 models list --frobnicate
    row 3 frobnicate
    row 10 models show anthropic/claude-sonnet-5
    row 10 models show anthropic/claude-sonnet-5 -o table
    row 10 route explain anthropic/claude-sonnet-5
    row 10 providers compare anthropic/claude-sonnet-5 -o table
    # Unknown, with what it is spelt like.
    row 25 models show anthropic/claude-sonet-5
    # One TAB: the ids of one author, every id, a bare name, the providers of one model, a column.
    row 5 completions bash -- "openmux chat -m anthropic/" 26 :=@
    row 5 completions bash -- "openmux chat -m " 16 :=@
    row 5 completions bash -- "openmux chat -m cl" 18 :=@
    row 5 completions bash -- "openmux chat -m anthropic/claude-sonnet-5:" 42 :=@
    row 5 completions bash -- "openmux models list --fields id,ttft" 35 :=@
    row 30 models list --all -o table
    row 20 models list --all -o json
    row 15 models list --all -o tsv
}

empty=$(cost "$(type -P true)")
table 'CPU ms of one run over an empty program'
list >"$home/api.json"
"$BINARY" catalog update --from "$home/api.json" --allow entries >"$home/said"
echo
table "The same with an update in use ($(sed -n 2p "$home/said" | cut -d ' ' -f 1) offers)"
printf '%-52s %9s\n' '(an empty program)' "$(milliseconds "$empty")"
bytes=$(wc -c <"$BINARY")
printf '%-52s %9s %9s\n' 'size of the binary in MB' "$(printf '%d.%02d' $((bytes / 1000000)) $((bytes % 1000000 / 10000)))" 25

#!/usr/bin/env bash
# Writes link/order.txt anew: the functions that common commands run, by the names that the linker sees. They are laid
# side by side (build.rs), so that what runs is a few pages and not a page here and there in fifteen megabytes.
# link/order.sh [BINARY]: a release binary with its symbols; where none is given, it is built. Needs valgrind and curl.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${1:-target/order/release/openmux}
# Not by the profile: what it says of symbols is in every crate's hash, and so in most of the names.
[[ $# -gt 0 ]] || cargo rustc --release --locked --bin openmux --target-dir target/order -- -C strip=none
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What a command runs; its own output is of no interest.
traced() {
    env -i HOME="$work/home" PATH="$PATH" "${vars[@]}" valgrind --tool=callgrind --demangle=no \
        --callgrind-out-file="$work/calls-$group.%p" "$binary" "$@" >/dev/null 2>"$work/stderr" || true
}

group=command vars=(A=)
model=anthropic/claude-sonnet-5 other=deepseek/deepseek-v4-pro
traced --version
traced --help
traced help routing
traced models list
traced models list --all -o table
traced models list --all -o json
traced models list sonnet --tools --sort price -o csv
traced models show "$model"
traced models show "${model}x"
traced providers compare "$model" --tokens 8000/1000 -o table
traced providers list -o table
traced route explain "$model"
traced route explain "$model" -o json
traced check "$model" --max-price-in 3 --has tools
traced catalog status
traced config show
traced usage
traced --sandbox chat -m "$model" "Hello!"
traced --sandbox chat -m "$model" "Hello!" -o json
vars=(COMPLETE=bash _CLAP_COMPLETE_INDEX=3 COMP_LINE="openmux chat -m anthropic/cl" COMP_POINT=28)
traced -- openmux chat -m anthropic/cl

# An overlay is read as well.
mkdir -p "$work/home/.config/openmux/catalog.d"
cat >"$work/home/.config/openmux/catalog.d/mine.toml" <<END
[provider.mine]
protocol = "openai-chat"
base_url = "http://127.0.0.1:18792/deepseek/v1"
auth = "none"

[[endpoint]]
provider = "mine"
model = "mine/model"
id = "$other"
context = 128000
price = { input = "1.00", output = "1.00" }
END

# The gateway, between clients of every dialect and simulated providers.
"$binary" sandbox -q --port 18791 >"$work/sandbox" &
played=$!
group=serve vars=(MIMALLOC_PURGE_DELAY=10 ANTHROPIC_BASE_URL=http://127.0.0.1:18791/anthropic ANTHROPIC_API_KEY=openmux-sandbox)
"$binary" sandbox -q --port 18792 -m "$other" >"$work/sandbox" &
played+=" $!"
vars+=(DEEPSEEK_BASE_URL=http://127.0.0.1:18792/deepseek/v1 DEEPSEEK_API_KEY=openmux-sandbox)
traced serve --listen 127.0.0.1:18790 &
for _ in $(seq 100); do
    curl -sf -o "$work/ready" http://127.0.0.1:18790/readyz && break
    sleep 0.2
done
hello='"messages":[{"role":"user","content":"Hello!"}]'
for _ in 1 2; do
    for stream in false true; do
        while read -r path body; do
            curl -s -o "$work/answer" -H 'Content-Type: application/json' -d "$body" "http://127.0.0.1:18790/v1/$path"
        done <<END
chat/completions {"model":"$model","stream":$stream,$hello}
chat/completions {"model":"$other","stream":$stream,$hello}
messages {"model":"$model","stream":$stream,"max_tokens":100,$hello}
responses {"model":"$model","stream":$stream,"input":"Hello!"}
END
    done
done
for path in v1/models metrics healthz; do
    curl -s -o "$work/answer" "http://127.0.0.1:18790/$path"
done
# The numbers of the processes: valgrind's is that of the gateway.
served=$(sed -nE 's/^==([0-9]+)==.*/\1/p' "$work/stderr" | head -1)
kill -INT "$served" $played
wait

# What runs for months comes first, and by itself.
nm --defined-only "$binary" | awk '$2 ~ /[tT]/ {print $3}' | LC_ALL=C sort -u >"$work/known"
run() {
    sed -nE 's/^c?fn=\([0-9]+\) //p' "$work/calls-$1."* | sed -E "s/'[0-9]+\$//" | LC_ALL=C sort -u |
        LC_ALL=C comm -12 - "$work/known"
}
run serve >link/order.txt
run command | LC_ALL=C comm -23 - link/order.txt >"$work/rest"
cat "$work/rest" >>link/order.txt
wc -l link/order.txt

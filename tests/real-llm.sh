#!/usr/bin/env bash
# Checks the built binary against real llama.cpp servers. On demand, not part of `cargo test`: it needs the servers.
#
#   tests/real-llm.sh URL1 URL2 [URL3 PID3]
#
# URL1 and URL2 are the addresses of two llama-servers (http://127.0.0.1:8080) with one and the same model, the first the
# faster; start the second with fewer threads (-t). URL3 and PID3 are a third one and its process, which is killed in
# the middle of an answer. Variables: OPENMUX (the binary, default target/debug/openmux), MODEL (its name on the wire).
# Prints a PASS or FAIL line for each check; the exit code is the number of failures. Needs curl and jq.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 70
[ $# -eq 2 ] || [ $# -eq 4 ] || { sed -n '2,9s/^# \{0,1\}//p' "tests/$(basename "$0")"; exit 2; }
one=${1%/}; two=${2%/}; three=${3:-}; three=${three%/}; pid=${4:-}
binary=${OPENMUX:-target/debug/openmux}
binary=$(realpath "$binary") || exit 2
name=${MODEL:-$(curl -sf "$one/v1/models" | jq -r '.data[0].id')}
[ -n "$name" ] || { echo "no server at $one"; exit 5; }
home=$(mktemp -d); trap 'rm -rf "$home"' EXIT
overlays=$home/.config/openmux/catalog.d; mkdir -p "$overlays"
model=huggingface/smollm2-135m-instruct
failures=0

openmux() { env -i HOME="$home" PATH="$PATH" "$binary" "$@"; }
pass() { printf 'PASS  %s\n' "$1"; }
fail() { printf 'FAIL  %s: %s\n' "$1" "$2"; failures=$((failures + 1)); }
check() { if [ "$2" = "$3" ]; then pass "$1 ($3)"; else fail "$1" "expected $2, got $3"; fi; }
# An overlay as the README shows it: provider, protocol, address.
overlay() {
    cat > "$overlays/$1.toml" <<TOML
[provider.$1]
protocol = "$2"
base_url = "$3/v1"
[[endpoint]]
provider = "$1"
model    = "$model"
id       = "$name"
TOML
}

# Three protocols, streamed and whole, with usage and without a key.
for protocol in openai-chat openai-responses anthropic-messages; do
    overlay only "$protocol" "$one"
    lines=$(wc -l < "$overlays/only.toml")
    if [ "$lines" -le 8 ]; then pass "$protocol: an overlay of $lines lines"; else fail "$protocol" "$lines lines"; fi
    for way in "" --no-stream; do
        label="$protocol ${way:---stream}"
        answer=$(openmux -q chat -m $model $way --max-tokens 40 -o json "Say hello in one sentence." 2> "$home/err")
        check "$label: exit code" 0 $?
        told=$(jq -r '[.provider, (.text | length > 0), (.usage.input_tokens > 0), (.usage.output_tokens > 0)]
            | join(" ")' <<< "$answer")
        check "$label: provider, text, usage in and out" "only true true true" "$told"
        finish=$(jq -r .finish <<< "$answer")
        case $finish in stop | length) pass "$label: finish $finish" ;; *) fail "$label: finish" "$finish" ;; esac
    done
    short=$(openmux -q chat -m $model --max-tokens 3 -o json "Count to one hundred." | jq -r '.finish')
    check "$protocol: an answer that fills its limit" length "$short"
    openmux -q chat -m $model --max-tokens 3 --strict "Count to one hundred." > "$home/out" 2> /dev/null
    check "$protocol: the same with --strict" 10 $?
done
rm "$overlays/only.toml"

# Two servers of one model: ranked by what was measured.
overlay fast openai-chat "$one"
overlay slow openai-chat "$two"
for provider in fast slow; do
    for call in 1 2 3 4 5 6 7 8; do
        openmux -q chat -m $model --provider $provider --max-tokens 200 "Tell me a long story, number $call." > /dev/null ||
            fail "$provider: call $call" "exit code $?"
    done
done
compared=$(openmux -q providers compare $model --sort tps -o json)
printf 'NOTE  %s\n' "$(jq -r '[.data[] | select(.decode_tps_p50) |
    "\(.provider) \(.decode_tps_p50) tok/s, first token \(.ttft_p50_ms) ms, \(.ok)"] | join("; ")' <<< "$compared")"
ranked=$(jq -r '[.data[] | select(.decode_tps_p50) | .provider] | join(" ")' <<< "$compared")
check "providers compare --sort tps" "fast slow" "$ranked"
# What is measured decides: the faster is the one that answers, and why is shown.
chosen=$(openmux -q chat -m $model --max-tokens 8 -o json "Hello!" | jq -r .provider)
check "chat without --provider asks the faster" fast "$chosen"

# The gateway: the two calls of the README under a hosted model's name, then each dialect of a client over each of a server.
cat > "$overlays/local.toml" <<TOML
[provider.local]
protocol = "openai-chat"
base_url = "$one/v1"
[[endpoint]]
provider = "local"
model    = "anthropic/claude-sonnet-4"
id       = "$name"
TOML
for protocol in openai-chat openai-responses anthropic-messages; do
    overlay "by-$protocol" "$protocol" "$one"
done
openmux serve --listen 127.0.0.1:0 > "$home/serve.out" 2> "$home/serve.err" &
gateway=$!
trap 'kill $gateway 2> /dev/null; rm -rf "$home"' EXIT
for _ in $(seq 100); do grep -q 'listening on' "$home/serve.err" && break; sleep 0.05; done
url=$(grep -o 'http://[0-9.:]*' "$home/serve.err" | head -1)
ask() { curl -s --max-time 60 "$url$1" -H 'Content-Type: application/json' -d "$2"; }
answer=$(ask /api/v1/chat/completions \
    '{"model": "anthropic/claude-sonnet-4", "messages": [{"role": "user", "content": "Hello!"}]}')
check "serve: curl as to a hosted gateway" "local true true" \
    "$(jq -r '[.provider, (.choices[0].message.content | length > 0), (.usage.cost == 0)] | join(" ")' <<< "$answer")"
for protocol in openai-chat openai-responses anthropic-messages; do
    for stream in false true; do
        only='"provider": {"only": ["by-'$protocol'"]}, "model": "'$model'", "stream": '$stream
        hello='[{"role": "user", "content": "Hello!"}]'
        label="serve: $protocol, stream $stream"
        ask /v1/chat/completions "{$only, \"max_tokens\": 16, \"messages\": $hello}" > "$home/chat"
        ask /v1/messages "{$only, \"max_tokens\": 16, \"messages\": $hello}" > "$home/messages"
        ask /v1/responses "{$only, \"max_output_tokens\": 16, \"input\": \"Hello!\"}" > "$home/responses"
        if [ $stream = true ]; then
            check "$label: Chat ends" "data: [DONE]" "$(grep . "$home/chat" | tail -1)"
            check "$label: Messages end" "event: message_stop" "$(grep '^event' "$home/messages" | tail -1)"
            end=$(grep '^event' "$home/responses" | tail -1)
            case $end in *response.completed | *response.incomplete) pass "$label: Responses end" ;;
                *) fail "$label: Responses" "$end" ;; esac
        else
            check "$label: Chat" true "$(jq '.choices[0].message.content | length > 0' "$home/chat")"
            check "$label: Messages" true "$(jq '.content[0].text | length > 0' "$home/messages")"
            check "$label: Responses" true "$(jq '.output[-1].content[0].text | length > 0' "$home/responses")"
        fi
    done
done
if python3 -c 'import openai, anthropic' 2> /dev/null; then
    told=$(URL=$url MODEL=$model python3 - <<'PYTHON'
import os, openai, anthropic
client = openai.OpenAI(base_url=os.environ["URL"] + "/api/v1", api_key="none")
response = client.chat.completions.create(
    model="anthropic/claude-sonnet-4",
    messages=[{"role": "user", "content": "Hello!"}]
)
assert response.choices[0].message.content
hello = [{"role": "user", "content": "Hello!"}]
with anthropic.Anthropic(base_url=os.environ["URL"], api_key="none").messages.stream(
    model=os.environ["MODEL"], max_tokens=24, messages=hello
) as stream:
    assert "".join(stream.text_stream)
    print(stream.get_final_message().stop_reason in ("end_turn", "max_tokens"))
PYTHON
    )
    check "serve: the clients of OpenAI and Anthropic" True "$told"
else
    echo "SKIP  the clients of OpenAI and Anthropic: python3 has neither (pip install openai anthropic)"
fi
kill $gateway; wait $gateway
check "serve: told to stop, it ends" 143 $?
rm "$overlays"/by-*.toml "$overlays/local.toml"

# A server that dies while it answers.
if [ -n "$pid" ]; then
    overlay dying openai-chat "$three"
    openmux -q chat -m $model --order dying "Write a very long story about the sea." > "$home/out" 2> "$home/err" &
    job=$!
    for _ in $(seq 200); do [ "$(wc -c < "$home/out")" -gt 40 ] && break; sleep 0.05; done
    kill -9 "$pid"
    wait $job
    check "killed in the middle of an answer: exit code" 10 $?
    if [ -s "$home/out" ]; then pass "what there was is on stdout ($(wc -c < "$home/out") bytes)"; else
        fail "partial answer" "nothing on stdout"; fi
    sed 's/^/NOTE  /' "$home/err"
    answer=$(openmux chat -m $model --order dying --max-tokens 8 -o json "Hello!" 2> "$home/err")
    check "the next call: exit code" 0 $?
    # What broke off rests for a moment; after it, the call fails over.
    check "the next call has another provider" fast "$(jq -r .provider <<< "$answer")"
    sed 's/^/NOTE  /' "$home/err"
    answer=$(openmux -q chat -m $model --max-tokens 8 -o json "Hello!" | jq -r .provider)
    check "and without --order the dead one is not asked first" fast "$answer"
else
    echo "SKIP  a server that dies while it answers: give URL3 and PID3"
fi
printf '%s\n' "$failures failed"
exit "$failures"

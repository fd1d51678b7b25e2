#!/bin/sh
# Whether an independent client measures the same: guidellm and openmux take turns at one server that streams on an exact
# schedule, and their medians are held against each other. On demand: it needs Rust, Python 3 and PyPI (guidellm brings
# PyTorch along, some 6 GB), and half an hour. Nothing leaves this machine but what pip asks for.
#
#   tests/agreement.sh [ROUNDS]
#
#   AGREEMENT_VENV   where guidellm is, or is put (target/agreement)
#   OPENMUX          the program (target/release/openmux, built if it is not there)
#   SERVER           the accuracy bench's program, which is the server too (built if it is not given)
set -eu

cd "$(dirname "$0")/.."
rounds=${1:-4}
venv=${AGREEMENT_VENV:-target/agreement}
openmux=${OPENMUX:-target/release/openmux}

[ -x "$openmux" ] || cargo build --release --bin openmux
server=${SERVER:-$(cargo bench --bench accuracy --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p')}
[ -x "$venv/bin/guidellm" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q 'guidellm==0.8.1'; }

work=$(mktemp -d)
"$server" serve > "$work/url" &
serving=$!
trap 'kill "$serving"; rm -rf "$work"' EXIT
while [ ! -s "$work/url" ]; do sleep 0.1; done

"$venv/bin/python" - "$(cat "$work/url")" "$work" "$venv/bin/guidellm" "$openmux" "$rounds" <<'PYTHON'
import json, os, statistics, subprocess, sys

url, work, guidellm, openmux, rounds = sys.argv[1:6]
REQUESTS = 8
# Wait for the first token, gap, tokens, mode; each is long and slow enough to have a speed.
SCRIPTS = ["s-50-5-150-plain", "s-50-5-150-role", "s-250-20-60-plain"]

# guidellm reads prompts from a file and counts by the server's usage: no tokenizer, no Hugging Face.
with open(f"{work}/prompts.jsonl", "w") as prompts:
    for at in range(100):
        prompts.write(json.dumps({"prompt": f"Say something of a lamp, number {at}."}) + "\n")
os.makedirs(f"{work}/config/catalog.d")
with open(f"{work}/config/catalog.d/paced.toml", "w") as overlay:
    overlay.write(f'[provider.paced]\nprotocol = "openai-chat"\nbase_url = "{url}/v1"\nkind = "local"\n')
    for script in SCRIPTS:
        overlay.write(f'[[endpoint]]\nprovider = "paced"\nmodel = "acme/{script}"\nid = "{script}"\n')

bare = {"PATH": os.environ["PATH"], "HOME": work, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
ours = bare | {"OPENMUX_CONFIG_DIR": f"{work}/config", "OPENMUX_DATA_DIR": f"{work}/data"}

def theirs_of(script):
    out = f"{work}/out.json"
    command = [guidellm, "run", "--disable-console", "--profile", "kind=synchronous",
               "--backend", f"kind=openai_http,target={url},model={script},validate_backend=false,http2=false",
               "--constraint", f"kind=max_requests,count={REQUESTS}",
               "--data", f"kind=json_file,path={work}/prompts.jsonl", "--output", f"kind=json,path={out}"]
    subprocess.run(command, env=bare, check=True, capture_output=True)
    requests = json.load(open(out))["benchmarks"][0]["requests"]["successful"]
    # Its inter-token latency is (last - first) / (N - 1); its "time per output token" has the first token in it.
    return [(one["time_to_first_token_ms"], 1000 / one["inter_token_latency_ms"]) for one in requests]

def ours_of(script):
    found = []
    for at in range(REQUESTS):
        command = [openmux, "chat", "-m", f"acme/{script}", "--no-stdin", "-o", "json", f"Say something of a lamp, number {at}."]
        run = subprocess.run(command, env=ours, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"openmux exits {run.returncode}: {run.stderr}")
        timing = json.loads(run.stdout)["attempts"][-1]["timing"]
        if timing["decode_tps"] is not None:
            found.append((timing["ttft_ms"], timing["decode_tps"]))
        else:
            print(f"left out: {timing['decode_why']}", file=sys.stderr)
    return found

print(f"{'script':<20} {'what':<14} {'openmux':>10} {'guidellm':>10} {'apart':>10} {'limit':>8}  n    verdict")
failed = 0
for script in SCRIPTS:
    mine, yours = [], []
    for _ in range(int(rounds)):
        mine += ours_of(script)
        yours += theirs_of(script)
    for at, what in enumerate(["TTFT ms", "decode tok/s"]):
        one, other = (statistics.median(pair[at] for pair in found) for found in (mine, yours))
        if what == "TTFT ms":
            apart, limit, unit = abs(one - other), max(2.0, 0.02 * other), "ms"
        else:
            apart, limit, unit = abs(one - other) / other * 100, 1.0, "%"
        holds = apart <= limit
        failed += not holds
        print(f"{script:<20} {what:<14} {one:>10.2f} {other:>10.2f} {apart:>7.2f} {unit:<2} {limit:>5.1f} {unit:<2}"
              f"  {len(mine)}/{len(yours)} {'ok' if holds else 'FAILED'}", flush=True)
sys.exit(1 if failed else 0)
PYTHON

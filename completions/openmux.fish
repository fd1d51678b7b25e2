# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_openmux_global_optspecs
    string join \n o/output= json color= q/quiet v/verbose offline sandbox= h/help V/version
end

function __fish_openmux_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_openmux_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_openmux_using_subcommand
    set -l cmd (__fish_openmux_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c openmux -n "__fish_openmux_needs_command" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_needs_command" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_needs_command" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_needs_command" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_needs_command" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_needs_command" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_needs_command" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openmux -n "__fish_openmux_needs_command" -s V -l version -d 'Print version'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "models" -d 'Find models by price, context and abilities; everything known about one'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "providers" -d 'Who serves a model, at what price, how fast; which providers there are'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "route" -d 'Which provider a call would use, did use, or would have used, and why'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "catalog" -d 'Fetch newer prices and models; what is in use, since when, and what changed'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "check" -d 'Assert facts about models, providers and the catalog, for CI. Works offline'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "chat" -d 'Send one prompt, stream the answer'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "serve" -d 'A local gateway that clients of OpenAI use unchanged, until Ctrl-C'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "usage" -d 'What was spent, by day, model, provider or source. Works offline'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "sandbox" -d 'Run simulated providers on this machine until Ctrl-C'
complete -c openmux -n "__fish_openmux_needs_command" -f -a "help" -d 'Help on a command or a topic: output, exit-codes, environment, routing, messages, failures, check'
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -f -a "list" -d 'Find models by price, context and abilities. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand models; and not __fish_seen_subcommand_from list show" -f -a "show" -d 'Everything known about one model, provider by provider. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l vendor -d 'Made by one of these' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l provider -d 'Served by one of these' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l min-context -d 'Context of at least so many tokens: 200k, 1m' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l max-price -d 'Input price of at most so many USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l released-after -d 'Released after this day: 2026-01-31' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l not-retiring -d 'Not to be retired within so many days: 90d' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l tokens -d 'Add the price of one such call: 8000/1000, or 8000/1000/7000 with cached input' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l unit -d 'Unit of throughput' -r -f -a "tok/s\t'Tokens per second'
tok/min\t'Tokens per minute'"
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l window -d 'Measured figures are of this long, or of the time since this day: 72h, 30d, 2026-11-01' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l at -d 'Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l tools -d 'Calls tools'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l vision -d 'Takes images'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l reasoning -d 'Reasons before it answers'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l structured -d 'Answers by a JSON Schema'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l open-weights -d 'Its weights are published'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l free -d 'Some provider states a price of zero'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l callable -d 'A key is set for at least one of its providers'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l all -d 'Also retired models and other kinds (embedding, image, ...)'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l tokens -d 'Add the price of one such call' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l unit -d 'Unit of throughput' -r -f -a "tok/s\t'Tokens per second'
tok/min\t'Tokens per minute'"
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l window -d 'Measured figures are of this long, or of the time since this day: 72h, 30d, 2026-11-01' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l at -d 'Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l prices -d 'The whole price sheet at every provider, all billing items'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l all -d 'Every region, variant and twin, instead of one row a provider'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand models; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -f -a "list" -d 'Every provider: kind, key, models, address. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -f -a "check" -d 'Whether providers answer and take their keys; spends nothing'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -f -a "probe" -d 'How fast providers answer now, measured by calls of its own; their cost is bounded and said first'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -f -a "compare" -d 'Who serves a model, at what price, how fast; best first. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and not __fish_seen_subcommand_from list check probe compare history" -f -a "history" -d 'How a provider or a model did, by hour or day, as this machine saw it. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l kind -d 'Kinds: lab, cloud, host, gateway, plan, local' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l callable -d 'A key is set, or none is needed'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l local -d 'Look for servers on this machine (ollama, lmstudio, llamacpp, vllm, your own) and say how to use what runs'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l timeout -d 'One provider\'s answer: 30s, 500ms; 0 is no limit' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l provider -d 'Ask these only; one that needs no key is asked only where it is named' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l kind -d 'What is asked: ping (does it answer, how soon), speed (how fast too), long (after 10k tokens of input), burst (speed, several calls at once)' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l parallel -d 'Calls at once to an endpoint, for --kind burst [default: 4]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l rounds -d 'So many rounds [default: 10]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l every -d 'Begin a round at this fixed interval, at least 1s, whatever became of the last one: 30s, 5m' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l seed -d 'Fix the order, the pauses and the prompts; a repeated prompt may come from a cache' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l max-cost -d 'The most that this run may cost in USD, in place of 1' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l unit -d 'Unit of throughput' -r -f -a "tok/s\t'Tokens per second'
tok/min\t'Tokens per minute'"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l quick -d 'Three rounds: does it answer, roughly how fast; each time is shown, no medians'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l precise -d 'As many rounds as it takes to know the median within 15 % or to settle the order; at most 30'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l yes -d 'Accept whatever bound is printed, also beyond $5 a day and 200 calls'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l allow-unpriced -d 'Also ask those whose price is not known; nothing bounds what they cost'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l dry-run -d 'Print whom it would ask and what it can cost at most; send nothing'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l tokens -d 'The call that is priced, in tokens: input, output, cached input [default: the mean of your own calls, else 1000/400]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l profile -d 'Take what is not said here from [profiles.NAME] of config.toml [env: OPENMUX_PROFILE]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l provider -d 'Use this provider only; commas list several [env: OPENMUX_PROVIDER]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l order -d 'Try these first, in this order' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l only -d 'Use only these' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l ignore -d 'Never use these' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l prefer -d 'What to favour: price, latency, throughput or balanced; or a hosted system\'s rule: zenmux, zenmux-origin, openrouter-classic, order [default: balanced]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l time-value -d 'What an hour of waiting is worth, in USD [default: 18]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l max-price-in -d 'The dearest input price, USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l max-price-out -d 'The dearest output price, USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l max-cost -d 'Refuse, before sending, what could cost more than this [env: OPENMUX_MAX_COST]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l max-ttft -d 'The longest expected wait for a first token: 2s, or require:2s. Beyond a limit that is required a provider is not used, beyond another it comes last; what was not measured comes between' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l min-throughput -d 'The least expected speed in tokens per second: 50, or require:50' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l min-availability -d 'The least expected availability: 99%, or require:99%' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l quantization -d 'Use only these quantisations: bf16,fp8; `unknown` is what nobody states' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l require -d 'Use only what some source says has these: tools, structured, reasoning, cache, vision, pdf and others' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l region -d 'The region to prefer where a provider has several; with require:eu nothing outside it is used [env: OPENMUX_REGION]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l seed -d 'Settle near-ties with this seed [default: a counter of your calls]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l unit -d 'Unit of throughput' -r -f -a "tok/s\t'Tokens per second'
tok/min\t'Tokens per minute'"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l window -d 'Measured figures are of this long, or of the time since this day: 72h, 30d, 2026-11-01' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l at -d 'Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l no-gateways -d 'Never use gateways'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l lenient -d 'Leave temperature, top-p, seed and effort out where a provider does not take them, instead of the provider'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l allow-unpriced -d 'Use endpoints whose price is not known'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l all -d 'Every region, instead of one row a provider'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from compare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l since -d 'From this long ago, or this day on: 12h, 7d, 2026-11-01' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l by -d 'Rows of an hour or a day (UTC)' -r -f -a "hour\t''
day\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l tokens -d 'Times are those of calls of this size, or of the nearest size there is [default: 1000/400]' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l unit -d 'Unit of throughput' -r -f -a "tok/s\t'Tokens per second'
tok/min\t'Tokens per minute'"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l at -d 'Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand providers; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -f -a "explain" -d 'Which provider a call would use, and why, before anything is sent. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -f -a "replay" -d 'Make a decision of the past again, or see what another policy would have chosen. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand route; and not __fish_seen_subcommand_from explain replay simulate" -f -a "simulate" -d 'What your calls would have cost and taken under other policies. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -s m -l model -d 'The model: author/slug, a bare slug that one author has, an alias, or model:provider [env: OPENMUX_MODEL]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -s s -l system -d 'Instructions for the whole conversation, or @FILE' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -s a -l attach -d 'A file that goes along: PNG, JPEG, GIF, WebP, PDF or UTF-8 text, told by its bytes; a URL is fetched, `-` is stdin; repeatable' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l messages -d 'A JSON array of messages to begin with, in OpenAI\'s form, or `-`: [{"role": "user", "content": "..."}]' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l tool -d 'Tools that the model may call: a JSON object or array in OpenAI\'s or Anthropic\'s form; repeatable' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l tool-choice -d 'Whether it must call one: auto, none, required, or the name of the one' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l schema -d 'The JSON Schema that the answer must satisfy; it is checked here too, and asked for once more where it fails' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l effort -d 'How hard to think: none, minimal, low, medium, high, xhigh, max, or a number of tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l max-tokens -d 'The most tokens the answer may have' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l temperature -d 'Sampling temperature' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l top-p -d 'The share of probability that is sampled from' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l stop -d 'A text at which the answer ends; repeatable' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l session -d 'Which conversation this is a turn of, in any words: it stays where its prompt cache is warm as long as that saves money. No message is kept: --messages gives them [default: told by its first messages]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l set -d 'A further parameter of the provider\'s own API, as JSON or plain text: seed=7, top_k=40' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l stdin-timeout -d 'How long stdin may stay silent' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l fallback -d 'Go on to these models, in this order, where every provider of the one before has failed or none can be used' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l fallback-on -d 'After which failures --fallback goes on [default: unusable and those that every other provider was tried for]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l profile -d 'Take what is not said here from [profiles.NAME] of config.toml [env: OPENMUX_PROFILE]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l provider -d 'Use this provider only; commas list several [env: OPENMUX_PROVIDER]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l order -d 'Try these first, in this order' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l only -d 'Use only these' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l ignore -d 'Never use these' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l prefer -d 'What to favour: price, latency, throughput or balanced; or a hosted system\'s rule: zenmux, zenmux-origin, openrouter-classic, order [default: balanced]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l time-value -d 'What an hour of waiting is worth, in USD [default: 18]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l max-price-in -d 'The dearest input price, USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l max-price-out -d 'The dearest output price, USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l max-cost -d 'Refuse, before sending, what could cost more than this [env: OPENMUX_MAX_COST]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l max-ttft -d 'The longest expected wait for a first token: 2s, or require:2s. Beyond a limit that is required a provider is not used, beyond another it comes last; what was not measured comes between' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l min-throughput -d 'The least expected speed in tokens per second: 50, or require:50' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l min-availability -d 'The least expected availability: 99%, or require:99%' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l quantization -d 'Use only these quantisations: bf16,fp8; `unknown` is what nobody states' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l require -d 'Use only what some source says has these: tools, structured, reasoning, cache, vision, pdf and others' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l region -d 'The region to prefer where a provider has several; with require:eu nothing outside it is used [env: OPENMUX_REGION]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l seed -d 'Settle near-ties with this seed [default: a counter of your calls]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l tokens -d 'The call that is weighed, in place of a prompt [default: 1000/400]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l why -d 'Say why this provider does not go first, and what would make it' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l at -d 'Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l no-parallel-tools -d 'At most one call in an answer'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l cache -d 'Mark the beginning of the conversation for the provider\'s prompt cache, where that must be asked for'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l no-stdin -d 'Do not read stdin'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l hedge -d 'Where no token has come in the time that the decision says, ask a second provider as well: the first to begin answers, the other is cancelled. It can cost twice as much; `route explain --hedge` says when and how much'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l no-gateways -d 'Never use gateways'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l lenient -d 'Leave temperature, top-p, seed and effort out where a provider does not take them, instead of the provider'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l allow-unpriced -d 'Use endpoints whose price is not known'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l all -d 'Show every rejected endpoint, and every region'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l strict -d 'Without any key: exit 4 instead of ranking as if every key were set'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -l policy -d 'What this policy would have chosen: price, latency, throughput or balanced' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -l time-value -d 'What would have been chosen with an hour of waiting worth so much, in USD' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -l all -d 'Show every rejected endpoint'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l policy -d 'The policies [default: all]' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l time-value -d 'A further policy: an hour of waiting is worth so much, in USD' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l since -d 'From this long ago, or this day on: 12h, 7d, 2026-11-01' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l model -d 'Of these models' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand route; and __fish_seen_subcommand_from simulate" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -f -a "update" -d 'Fetch a newer catalog, check it, and use it from then on. Nothing else ever fetches one'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -f -a "status" -d 'Which catalog is in use, how old it is, and where its files are. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -f -a "diff" -d 'What differs between two catalogs. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -f -a "rollback" -d 'Go back to the catalog before the last update, or to the one in the program. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and not __fish_seen_subcommand_from update status diff rollback path" -f -a "path" -d 'Where the updated catalog is. Works offline'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l from -d 'Where from: an address or a file [default: https://models.dev/api.json] [env: OPENMUX_CATALOG_URL]' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l allow -d 'Take a list over although it breaks these rules' -r -f -a "fewer\t''
vanished\t''
prices\t''
entries\t''
schema\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l timeout -d 'How long the whole fetch may take: 30s, 2m; 0 is no limit' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l dry-run -d 'Fetch and check it and say what would change; write nothing'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -l sources -d 'Also where its facts come from, with dates and licences'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -l embedded -d 'To the one in the program; also forgets the one before'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand catalog; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand check" -l file -d 'Assertions from a TOML file' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand check" -l lock -d 'Keep the facts of these models in a file; where it is there, say what has changed since' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand check" -l provider -d 'Assert the facts of these providers\' offers, each' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-price-in -l max-input-price -d 'Input costs at most so many USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-price-out -l max-output-price -d 'Output costs at most so many USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-price-cache-read -d 'Input from a cache costs at most so many USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-price-cache-write -d 'Writing a cache costs at most so many USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-call-price -d 'One call of the size of --tokens costs at most so many USD' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l tokens -d 'The call that is meant, in tokens: prices and measured figures are of its size' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l min-context -d 'Context of at least so many tokens: 200k, 1m' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l min-output -d 'Answers of at least so many tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l has -d 'It can do these: tools, vision, structured, reasoning, pdf, cache and others of the CAN column' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l not-retiring -d 'Neither retired nor to be retired within so many days: 90d' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l served-by -d 'Each of these serves it' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l min-providers -d 'At least so many providers serve it' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l min-callable -d 'At least so many of its providers could be called from here: key, address and protocol are there' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l has-key -d 'A key is set for each of these providers' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-catalog-age -d 'The catalog is at most so many days old' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-ttft -d 'The median wait for the first token is surely at most this: 1.5s' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l min-tps -d 'The median speed is surely at least so many tokens per second' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l min-availability -d 'The share of whole answers is surely at least this: 0.95 or 95%' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l window -d 'Measured figures are of this long, or of the time since this day: 72h, 30d, 2026-11-01' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l max-cost -d 'The most that all probes may cost in USD [default: 1, or max_run_usd of config.toml]' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l rounds -d 'Rounds of a probe [default: 10]' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l at -d 'Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand check" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand check" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand check" -l update-lock -d 'Write the lock anew with the facts of today'
complete -c openmux -n "__fish_openmux_using_subcommand check" -l locked -d 'A lock that is not there is an error, in place of being written'
complete -c openmux -n "__fish_openmux_using_subcommand check" -l probe -d 'Measure first, by calls that cost money: at most --max-cost together'
complete -c openmux -n "__fish_openmux_using_subcommand check" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand check" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand check" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand check" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand check" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s m -l model -d 'The model: author/slug, a bare slug that one author has, an alias, or model:provider [env: OPENMUX_MODEL]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s s -l system -d 'Instructions for the whole conversation, or @FILE' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s a -l attach -d 'A file that goes along: PNG, JPEG, GIF, WebP, PDF or UTF-8 text, told by its bytes; a URL is fetched, `-` is stdin; repeatable' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l messages -d 'A JSON array of messages to begin with, in OpenAI\'s form, or `-`: [{"role": "user", "content": "..."}]' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l tool -d 'Tools that the model may call: a JSON object or array in OpenAI\'s or Anthropic\'s form; repeatable' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l tool-choice -d 'Whether it must call one: auto, none, required, or the name of the one' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l schema -d 'The JSON Schema that the answer must satisfy; it is checked here too, and asked for once more where it fails' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l effort -d 'How hard to think: none, minimal, low, medium, high, xhigh, max, or a number of tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l max-tokens -d 'The most tokens the answer may have' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l temperature -d 'Sampling temperature' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l top-p -d 'The share of probability that is sampled from' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l stop -d 'A text at which the answer ends; repeatable' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l session -d 'Which conversation this is a turn of, in any words: it stays where its prompt cache is warm as long as that saves money. No message is kept: --messages gives them [default: told by its first messages]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l set -d 'A further parameter of the provider\'s own API, as JSON or plain text: seed=7, top_k=40' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l stdin-timeout -d 'How long stdin may stay silent' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l fallback -d 'Go on to these models, in this order, where every provider of the one before has failed or none can be used' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l fallback-on -d 'After which failures --fallback goes on [default: unusable and those that every other provider was tried for]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l profile -d 'Take what is not said here from [profiles.NAME] of config.toml [env: OPENMUX_PROFILE]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l provider -d 'Use this provider only; commas list several [env: OPENMUX_PROVIDER]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l order -d 'Try these first, in this order' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l only -d 'Use only these' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l ignore -d 'Never use these' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l prefer -d 'What to favour: price, latency, throughput or balanced; or a hosted system\'s rule: zenmux, zenmux-origin, openrouter-classic, order [default: balanced]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l time-value -d 'What an hour of waiting is worth, in USD [default: 18]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l max-price-in -d 'The dearest input price, USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l max-price-out -d 'The dearest output price, USD per 1M tokens' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l max-cost -d 'Refuse, before sending, what could cost more than this [env: OPENMUX_MAX_COST]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l max-ttft -d 'The longest expected wait for a first token: 2s, or require:2s. Beyond a limit that is required a provider is not used, beyond another it comes last; what was not measured comes between' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l min-throughput -d 'The least expected speed in tokens per second: 50, or require:50' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l min-availability -d 'The least expected availability: 99%, or require:99%' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l quantization -d 'Use only these quantisations: bf16,fp8; `unknown` is what nobody states' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l require -d 'Use only what some source says has these: tools, structured, reasoning, cache, vision, pdf and others' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l region -d 'The region to prefer where a provider has several; with require:eu nothing outside it is used [env: OPENMUX_REGION]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l seed -d 'Settle near-ties with this seed [default: a counter of your calls]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l record -d 'Write every exchange, without its secrets, as a test fixture into a folder of this one' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l retries -d 'Further tries of a provider, once no other is left' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l timeout -d 'The whole request: 30s, 2m, 500ms; 0 is no limit [default: 10m] [env: OPENMUX_TIMEOUT]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l connect-timeout -d 'Making a connection' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l first-token-timeout -d 'The first token, over all providers [default: 60s, 180s for hidden reasoning]' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l idle-timeout -d 'Silence within the answer' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l no-parallel-tools -d 'At most one call in an answer'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l cache -d 'Mark the beginning of the conversation for the provider\'s prompt cache, where that must be asked for'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l no-stdin -d 'Do not read stdin'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l hedge -d 'Where no token has come in the time that the decision says, ask a second provider as well: the first to begin answers, the other is cancelled. It can cost twice as much; `route explain --hedge` says when and how much'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l no-gateways -d 'Never use gateways'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l lenient -d 'Leave temperature, top-p, seed and effort out where a provider does not take them, instead of the provider'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l allow-unpriced -d 'Use endpoints whose price is not known'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l no-stream -d 'Ask for the whole answer at once, and print all of it or nothing'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s n -l dry-run -d 'Print the route, the request without its key, and the cost bound; send nothing'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s u -l usage -d 'Print provider, tokens, cost and time on stderr at the end [default: on a terminal]'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l no-usage -d 'Do not print that line'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l strict -d 'Treat an answer that is cut off, or does not satisfy --schema, as a failure (exit 10)'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l resume -d 'Where the answer breaks off in the middle, let a provider that takes its beginning go on with it; the seam is told on stderr, and in JSON'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l show-reasoning -d 'Print the model\'s reasoning on stderr, where it streams any'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand chat" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l listen -d 'Where to listen; port 0 takes a free one. Beyond this machine only with a token' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l token-env -d 'The variable that holds the token that clients must show' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l token-file -d 'The file that holds it' -r -F
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l host-name -d 'A further name that clients call it by; others are refused, beside those of this machine' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l profile -d 'What holds for every request: [profiles.NAME] of config.toml. A request narrows it, and chooses for itself what is merely preferred [env: OPENMUX_PROFILE]' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l max-requests -d 'The most requests at once; more are refused with 503' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l timeout -d 'One chat: 30s, 2m, 500ms; 0 is no limit [default: 10m] [env: OPENMUX_TIMEOUT]' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l connect-timeout -d 'Making a connection to a provider' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand serve" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand serve" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand serve" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand serve" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l by -d 'Sum by these: day, model, provider, source, sheet (the price sheet: its day and hash)' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l since -d 'From this long ago, or this day on: 12h, 7d, 2026-11-01' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l until -d 'Until the end of this day' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l model -d 'Of these models' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l provider -d 'At these providers' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l source -d 'From these: chat, probe, gateway' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l fields -d 'Choose and order the columns, in any format (a wrong name lists them all)' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l sort -d 'Order by these columns; unknown values come last' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l limit -d 'Show at most so many rows' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l at -d 'Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l each -d 'A row for each attempt, in place of sums: for export'
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l reverse -d 'Reverse the order'
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand usage" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand usage" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand usage" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand usage" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -l scenario -d 'calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -l port -d 'The port on 127.0.0.1; 0 takes a free one' -r
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -s m -l model -d 'The model whose providers are simulated' -r
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand sandbox" -s h -l help -d 'Print help'
complete -c openmux -n "__fish_openmux_using_subcommand help" -s o -l output -d 'Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT]' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
csv\t''
tsv\t''
md\t''
ids\t''
text\t''
github\t''
junit\t''"
complete -c openmux -n "__fish_openmux_using_subcommand help" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c openmux -n "__fish_openmux_using_subcommand help" -l sandbox -d 'Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file' -r
complete -c openmux -n "__fish_openmux_using_subcommand help" -l json -d 'Short for -o json'
complete -c openmux -n "__fish_openmux_using_subcommand help" -s q -l quiet -d 'Say nothing but errors on stderr'
complete -c openmux -n "__fish_openmux_using_subcommand help" -s v -l verbose -d 'Say more on stderr: decisions and timings; -vv also the wire, without keys'
complete -c openmux -n "__fish_openmux_using_subcommand help" -l offline -d 'Refuse whatever needs the network [env: OPENMUX_OFFLINE]'
complete -c openmux -n "__fish_openmux_using_subcommand help" -s h -l help -d 'Print help'

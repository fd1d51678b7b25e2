//! Mistakes at the command line: what each is answered with, for people and for programs.

use super::super::support::command::Home;

fn page(args: &str) -> String {
    let home = Home::new();
    home.openmux(args.split(' ')).run().snapshot()
}

#[test]
fn names_that_mean_nothing_get_suggestions() {
    insta::assert_snapshot!(page("chat -m claude-sonet-4 hi"), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no model is called "claude-sonet-4"
      did you mean  anthropic/claude-sonnet-4
                    anthropic/claude-sonnet-5
                    anthropic/claude-sonnet-4.6
      fix:          openmux models list sonnet
    "#);
    insta::assert_snapshot!(page("models show zzzzzz"), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no model is called "zzzzzz"
      fix:  openmux models list
    "#);
    insta::assert_snapshot!(page("models show aion-2.0"), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: "aion-2.0" is ambiguous
      could be  aion-labs/aion-2.0
                venice/aion-2.0
      fix:      say which one is meant
    "#);
    insta::assert_snapshot!(page("models show claude-haiku-4.5:nowhere"), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: "nowhere" is neither a provider nor a variant of
    anthropic/claude-haiku-4.5
      providers  302ai abacus aihubmix amazon-bedrock amazon-bedrock-mantle
                 anthropic anyapi azure azure-cognitive-services claude-platform-aws
                 cloudflare-ai-gateway cortecs and 43 more
      variants   batch free thinking
      fix:       openmux models show claude-haiku-4.5 --all
    "#);
    insta::assert_snapshot!(page("chat -m gpt-4o --provider opnai hi"), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no provider is called "opnai"
      did you mean  openai
      fix:          openmux providers list
    "#);
    insta::assert_snapshot!(page("chat -m claude-haiku-4.5 --provider groq hi"), @r"
    exit: 3
    --- stdout

    --- stderr
    error: groq does not serve anthropic/claude-haiku-4.5
      served by  302ai abacus aihubmix amazon-bedrock amazon-bedrock-mantle
                 anthropic anyapi azure azure-cognitive-services claude-platform-aws
                 cloudflare-ai-gateway cortecs and 43 more
      fix:       openmux providers compare anthropic/claude-haiku-4.5
    ");
    insta::assert_snapshot!(page("chat -m openai/gpt-35-turbo-16k hi"), @r"
    exit: 3
    --- stdout

    --- stderr
    error: openai/gpt-35-turbo-16k was retired on 2025-04-30 at azure
      fix:  openmux models list --vendor openai --sort released --reverse
    ");
}

#[test]
fn mistakes_of_the_command_line_are_exit_2() {
    insta::assert_snapshot!(page("models list --fields id,nope"), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: models list has no field "nope"
      fields  id name vendor released context max_output input output cache_read
              cache_write price price_provider billing can providers ttft n age tps
              state trend availability ok limited stratum ttft_p90 ttft_p95 ttft_p99
              ttfa tps_p10 availability_low availability_high last_success
              last_failure samples decode_samples cut_off ttft_p50_at_least unit
              status retires open_weights knowledge kinds floating cheapest
              cheapest_provider max_input
      fix:    write one of these fields in place of nope
    "#);
    insta::assert_snapshot!(page("models list --sort nope"), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: models list has no field "nope"
      fields  id name vendor released context max_output input output cache_read
              cache_write price price_provider billing can providers ttft n age tps
              state trend availability ok limited stratum ttft_p90 ttft_p95 ttft_p99
              ttfa tps_p10 availability_low availability_high last_success
              last_failure samples decode_samples cut_off ttft_p50_at_least unit
              status retires open_weights knowledge kinds floating cheapest
              cheapest_provider max_input
      fix:    write one of these fields in place of nope
    "#);
    insta::assert_snapshot!(page("models list -o text"), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: this command has no format "text"
      formats  table wide json jsonl csv tsv md ids
      fix:     leave out -o, or unset OPENMUX_OUTPUT; -o json is there everywhere
    "#);
    insta::assert_snapshot!(page("models list --bogus"), @r"
    exit: 2
    --- stdout

    --- stderr
    error: unexpected argument '--bogus' found
      tip    to pass '--bogus' as a value, use '-- --bogus'
      usage  openmux models list [OPTIONS] [WORDS]...
      fix:   openmux models list --help
    ");
    insta::assert_snapshot!(page("models list --min-context many"), @r"
    exit: 2
    --- stdout

    --- stderr
    error: invalid value 'many' for '--min-context <N>': not a number of tokens,
    such as 8000, 200k or 1m
      fix:  openmux models list --help
    ");
    insta::assert_snapshot!(page("models lsit"), @r"
    exit: 2
    --- stdout

    --- stderr
    error: unrecognized subcommand 'lsit'
      did you mean  list
      usage         openmux models [OPTIONS] <COMMAND>
      fix:          write list in place of lsit
    ");
    insta::assert_snapshot!(page("chat --api-key sk-1 hi"), @r"
    exit: 2
    --- stdout

    --- stderr
    error: a key is never given on the command line, where every process can see it
      fix:  export ANTHROPIC_API_KEY=... (openmux providers list -o wide names each
            variable)
    ");
    insta::assert_snapshot!(page("chat hi"), @r"
    exit: 2
    --- stdout

    --- stderr
    error: no model was named
      fix:  -m MODEL, e.g. -m anthropic/claude-sonnet-5 (openmux models list)
    ");
    insta::assert_snapshot!(page("chat -m claude-haiku-4.5 --timeout soon hi"), @r"
    exit: 2
    --- stdout

    --- stderr
    error: invalid value 'soon' for '--timeout <TIME>': not a time such as TIME, 2m
    or TIME
      fix:  openmux chat --help
    ");
    insta::assert_snapshot!(page("--sandbox=clam chat -m claude-haiku-4.5 hi"), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: there is no sandbox scenario "clam"
      did you mean  calm
      scenarios     calm outage rate-limit slow mid-stream
      fix:          write calm in place of clam
    "#);
    insta::assert_snapshot!(page("models list --bogus -o json"), @r#"
    exit: 2
    --- stdout

    --- stderr
    {"error":{"code":"usage","exit":2,"message":"unexpected argument '--bogus' found","tip":"to pass '--bogus' as a value, use '-- --bogus'","usage":"openmux models list [OPTIONS] [WORDS]...","fix":"openmux models list --help"}}
    "#);
}

#[test]
fn a_command_without_its_subcommand_shows_the_way() {
    insta::assert_snapshot!(page("route"), @r"
    exit: 2
    --- stdout

    --- stderr
    Which provider a call would use, did use, or would have used, and why

    Usage: openmux route [OPTIONS] <COMMAND>

      explain   Which provider a call would use, and why, before anything is sent
      replay    Make a decision of the past again
      simulate  What your calls would have cost and taken under other policies

    Everywhere  -o FORMAT  --json  --color WHEN  -q  -v  --config FILE  --offline
                --sandbox[=SCENARIO]

    More: openmux route --help
    ");
    let home = Home::new();
    let bare = home.openmux([]).run();
    assert_eq!((bare.code, bare.stderr.as_str()), (Some(0), ""));
    assert_eq!(bare.stdout, home.openmux(["help"]).run().stdout);
    insta::assert_snapshot!(page("help nope"), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: there is no command or topic "nope"
      topics  output exit-codes environment config routing messages failures check
              dialects
      fix:    openmux help
    "#);
    insta::assert_snapshot!(page("help exit-codes"), @r#"
    exit: 0
    --- stdout
    One meaning each, the same in every command. With several failures the last
    attempt's code counts.

        0  ok           done; also an empty list, and a reader that closed stdout
        1  negative     the question was answered "no": an assertion of check does
                        not hold
        2  usage        bad flag or value, missing prompt, input that is not UTF-8
        3  not_found    no such model, provider, file or (check) known fact; or
                        the provider says it is gone
        4  auth         no key, key rejected, not permitted (401, 403)
        5  config       unreadable configuration or overlay, proxy, certificate or
                        clock set-up, local server not running
        6  rejected     the provider refused this request (400, 413, 422, too
                        long, filter)
        7  limited      rate limit or no credit, after retries (429, 402)
        8  unavailable  unreachable, 5xx or overloaded, after retries and
                        failovers
        9  timeout      one of our limits fired (also waiting for stdin)
       10  incomplete   the answer ended early; what there is of it is on stdout
       11  refused      our own policy: --max-cost, the budget of the day,
                        --offline
       70  bug          a bug in openmux; please report it
      130  interrupted  Ctrl-C
      143  terminated   SIGTERM

    Trying again helps after 8, 9 and 10, and later after 7.

    --- stderr
    "#);
}

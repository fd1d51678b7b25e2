//! Whole pages as a person sees them, for one moment, with no network and mostly no key.

use super::super::support::command::{Home, Output};

/// The page for the moment of the catalog.
fn at_noon(args: &str) -> Output {
    with_keys(&[], args)
}

/// The same with these variables set.
fn with_keys(variables: &[&str], args: &str) -> Output {
    let home = Home::new();
    let run = home.openmux(args.split(' ').chain(["--at", "2026-11-24T12:00:00Z"]));
    variables.iter().fold(run, |run, name| run.env(name, "sk-0123456789")).run()
}

/// The same without a moment, for what knows none.
fn page(args: &str) -> String {
    let home = Home::new();
    home.openmux(args.split(' ')).run().snapshot()
}

#[test]
fn lists_are_tables_for_people() {
    insta::assert_snapshot!(at_noon("models list claude sonnet --tools --sort price --reverse --limit 4 -o table").snapshot(), @r"
    exit: 0
    --- stdout
    MODEL                                 CONTEXT  MAX OUT  IN $/M  OUT $/M  CAN
    anthropic/claude-3.7-sonnet-20240620     200K     8192    3.60    18.00  tvrps
    anthropic/claude-3-sonnet                200K     4096    3.00    15.00  tvp
    anthropic/claude-3.5-sonnet-20240620     200K     8192    3.00    15.00  tvp
    anthropic/claude-3.5-sonnet-20241022     200K     8192    3.00    15.00  tvp

    --- stderr
    ");
    insta::assert_snapshot!(at_noon("models list claude-haiku -o table --tokens 8000/1000").snapshot(), @r"
    exit: 0
    --- stdout
    MODEL                          CONTEXT  MAX OUT  IN $/M  OUT $/M  PER CALL
    anthropic/claude-haiku-4.5        200K      64K    1.00     5.00    $0.013
    anthropic/claude-haiku-5.5          1M     128K    0.10     0.50   $0.0013
    anthropic/claude-haiku-latest     200K      64K    0.10     0.50   $0.0013

    --- stderr
    ");
    insta::assert_snapshot!(page("providers list --kind local -o table"), @r"
    exit: 0
    --- stdout
    PROVIDER     NAME                      KIND   KEY         KEY FROM  MODELS
    atomic-chat  Atomic Chat               local  -           -              5
    lemonade     lemonade                  local  -           -              5
    llamacpp     llama.cpp server (local)  local  not needed  -              0
    lmstudio     LM Studio (local)         local  not needed  -              3
    ollama       Ollama (local)            local  not needed  -             21
    qvac         QVAC                      local  -           -              9
    vllm         vLLM (local)              local  not needed  -              0

    --- stderr
    ");
    insta::assert_snapshot!(at_noon("providers compare anthropic/claude-haiku-4.5 --limit 3 -o table").snapshot(), @r"
    exit: 0
    --- stdout
    PROVIDER   KIND     KEY  IN $/M  OUT $/M   PER CALL  CONTEXT  CAN    TTFT  TOK/S
    qihang-ai  gateway  -     0.14*    0.71*  $0.000424     200K  tvrp*     -      -
    xpersona   gateway  -     0.60*    3.70*   $0.00208     200K  tvr*      -      -
    fal-ai     host     -     0.80*    4.00*    $0.0024        -            -      -

    --- stderr
    ");
}

#[test]
fn lists_are_bare_values_in_every_other_format() {
    let list =
        |format: &str| at_noon(&format!("models list claude-haiku --limit 2 --fields id,input,context -o {format}"));
    insta::assert_snapshot!(list("tsv").snapshot(), @r"
    exit: 0
    --- stdout
    anthropic/claude-haiku-4.5	1	200000
    anthropic/claude-haiku-5.5	0.1	1000000

    --- stderr
    ");
    insta::assert_snapshot!(list("csv").snapshot().replace('\r', ""), @r"
    exit: 0
    --- stdout
    id,input_usd_per_mtok,context_tokens
    anthropic/claude-haiku-4.5,1,200000
    anthropic/claude-haiku-5.5,0.1,1000000

    --- stderr
    ");
    insta::assert_snapshot!(list("jsonl").snapshot(), @r#"
    exit: 0
    --- stdout
    {"id":"anthropic/claude-haiku-4.5","input_usd_per_mtok":1,"context_tokens":200000}
    {"id":"anthropic/claude-haiku-5.5","input_usd_per_mtok":0.1,"context_tokens":1000000}

    --- stderr
    "#);
    insta::assert_snapshot!(list("md").snapshot(), @r"
    exit: 0
    --- stdout
    | MODEL | IN $/M | CONTEXT |
    | --- | ---: | ---: |
    | anthropic/claude-haiku-4.5 | 1.00 | 200K |
    | anthropic/claude-haiku-5.5 | 0.10 | 1M |

    --- stderr
    ");
    insta::assert_snapshot!(list("ids").snapshot(), @r"
    exit: 0
    --- stdout
    anthropic/claude-haiku-4.5
    anthropic/claude-haiku-5.5

    --- stderr
    ");
    assert_eq!(at_noon("models list claude-haiku --limit 2 --fields id,input,context").stdout, list("tsv").stdout);
}

#[test]
fn an_empty_list_is_no_failure() {
    insta::assert_snapshot!(at_noon("models list zzzzz -o table").snapshot(), @r"
    exit: 0
    --- stdout

    --- stderr
    note: no model matches: zzzzz
    ");
    insta::assert_snapshot!(at_noon("models list zzzzz -o json").stdout, @r#"{"schema":"models.list/1","catalog":{"date":"2026-11-24","age_days":0,"source":"bundled","overlays":0},"warnings":[],"data":[]}"#);
}

#[test]
fn who_asks_of_a_provider_gets_its_prices() {
    let list = |more: &str| {
        at_noon(&format!("models list gpt-oss-120b --provider groq --fields id,input,price_provider {more}")).stdout
    };
    assert_eq!(list(""), "openai/gpt-oss-120b\t0.15\tgroq\n");
    assert_eq!((list("--max-price 0.01"), list("--max-price 0.15")), (String::new(), list("")));
    // Who takes least is told beside it, never at a price of nothing.
    let at_all =
        at_noon("models list openai/gpt-oss-120b --tokens 1000/1000 --fields cheapest,cheapest_provider -o csv");
    let (cost, provider) = at_all.stdout.lines().nth(1).and_then(|line| line.split_once(',')).unwrap();
    assert!(cost.parse::<f64>().unwrap() > 0.0 && provider != "groq" && !provider.is_empty(), "{}", at_all.snapshot());
    let groq = "models list gpt-oss-120b --provider groq --tokens 1000/1000 --fields cheapest,cheapest_provider";
    assert_eq!(at_noon(groq).stdout, "0.00075\tgroq\n");
    // Without one the cheapest stands for it, which is another.
    let all = at_noon("models list openai/gpt-oss-120b --fields id,input,price_provider").stdout;
    assert!(!all.contains("groq"), "{all}");
}

#[test]
fn what_is_for_no_chats_is_shown_and_not_compared() {
    let model = "openai/text-embedding-3-small";
    let shown = at_noon(&format!("models show {model} --fields provider,input"));
    assert!(shown.stdout.contains("\nopenai ") && !shown.stdout.contains("Providers   0"), "{}", shown.snapshot());
    let json: serde_json::Value =
        serde_json::from_str(&at_noon(&format!("models show {model} -o json")).stdout).unwrap();
    assert!(json["data"]["endpoints"].as_array().unwrap().len() > 3, "{json}");
    insta::assert_snapshot!(at_noon(&format!("providers compare {model}")).snapshot(), @r"
    exit: 3
    --- stdout

    --- stderr
    error: openai/text-embedding-3-small is not for chats but for another kind of
    call (embedding): only providers of chats are compared
      fix:  openmux models show openai/text-embedding-3-small
    ");
    insta::assert_snapshot!(at_noon("models list text-embedding-3-small -o table").snapshot(), @r"
    exit: 0
    --- stdout

    --- stderr
    note: no model matches: text-embedding-3-small; with --all 2 do: no chat models, or retired
    ");
}

#[test]
fn one_model_in_full() {
    insta::assert_snapshot!(at_noon("models show anthropic/claude-3-sonnet --tokens 8000/1000").snapshot(), @r"
    exit: 0
    --- stdout
    Claude Sonnet 3                                        anthropic/claude-3-sonnet

      Status      deprecated at anthropic; unlisted at amazon-bedrock; deprecated at
                  sap-ai-core
      Released    2024-03-04; knowledge until 2023-08-31; weights closed
      Context     200,000 tokens; longest answer 4,096 tokens
      Can         tools, vision, pdf, cache
      Providers   5; cheapest amazon-bedrock 3.00/15.00
      Call        8,000 in + 1,000 out, 0 of the input cached; at
                  2026-11-24T12:00:00Z

    PROVIDER               KIND      IN $/M  OUT $/M  PER CALL  CONTEXT  STATUS
    anthropic              official    3.00    15.00    $0.039     200K  deprecated
    amazon-bedrock         cloud       3.00    15.00    $0.039        -  unlisted
    google-vertex          cloud       3.00    15.00    $0.039     200K  active
    sap-ai-core            cloud       3.00    15.00    $0.039     200K  deprecated
    cloudflare-ai-gateway  gateway     3.00    15.00    $0.039     200K  unlisted

    --- stderr
    ");
    insta::assert_snapshot!(at_noon("models show qwen3-max:alibaba --prices").snapshot(), @r"
    exit: 0
    --- stdout
    Qwen3 Max                                                         qwen/qwen3-max

      Status      active at alibaba
      Released    2025-09-23; knowledge until 2025-04; weights closed
      Context     262,144 tokens; longest answer 65,536 tokens
      Can         tools, cache
      Providers   1; cheapest alibaba 1.20/6.00

    alibaba  qwen3-max
      input                   1.20 per 1M tokens
                              2.40 where input > 32,000
                              3.00 where input > 128,000
      cache_read              0.24 per 1M tokens
      output                  6.00 per 1M tokens
                              12.00 where input > 32,000
                              15.00 where input > 128,000

    --- stderr
    ");
}

#[test]
fn the_example_of_the_readme_names_who_serves_it_and_its_status() {
    let output = at_noon("models show anthropic/claude-sonnet-4");
    let rows: Vec<(&str, &str)> =
        output.stdout.lines().filter_map(|line| Some((line.split(' ').next()?, line.rsplit(' ').next()?))).collect();
    for row in [("anthropic", "unlisted"), ("amazon-bedrock", "retired"), ("google-vertex", "deprecated")] {
        assert!(rows.contains(&row), "{row:?} is not in {}", output.snapshot());
    }
}

#[test]
fn a_decision_explains_itself() {
    insta::assert_snapshot!(at_noon("route explain anthropic/claude-3-opus --seed 1").snapshot(), @r"
    exit: 0
    --- stdout
    No key is set: this ranks as if every key were. `openmux chat` would send
    nothing (exit 4).
    llmgateway would answer. Nothing was sent.
    anthropic/claude-3-opus: 1,000 tokens in, 400 out expected

         PROVIDER                  PRICE    + WAIT    + RISK   = TOTAL
      1  llmgateway             $0.04500  $0.00590  $0.00007  $0.05097  chosen
      2  amazon-bedrock         $0.04500  $0.00590  $0.00007  $0.05097  +0 %
      3  anthropic              $0.04500  $0.00590  $0.00007  $0.05097  +0 %
      4  cloudflare-ai-gateway  $0.04500  $0.00590  $0.00007  $0.05097  +0 %
      5  digitalocean           $0.04500  $0.00590  $0.00007  $0.05097  +0 %
      6  openrouter             $0.04500  $0.00590  $0.00007  $0.05097  +0 %
      7  vercel                 $0.04500  $0.00590  $0.00007  $0.05097  +0 %
      -  google-vertex          retired 2025-08-01
      -  sap-ai-core            no address known: set SAP_AI_CORE_BASE_URL

    Margin   $0 behind it: amazon-bedrock; 7 within 2 %, seed 1 chose
    Chain    llmgateway TIME, amazon-bedrock TIME, anthropic TIME,
             cloudflare-ai-gateway TIME: how long each may take to its first token
             while another is open
    At most  $0.32595 for this call at llmgateway
    Status   unlisted at llmgateway
    Policy   balanced: $0.005 a second to the first token, $0.0015 a second of
             answer, $0.004 a failed call
    Data     assumed, on the good side: first token TIME, 240 tok/s, 99.2 %
             available (nothing measured)
    Replay   --at 2026-11-24T12:00:00Z --seed 1
    Would change it
             amazon-bedrock, if llmgateway had input at $16.019441 per 1M or more
               (now 15), or output at $77.548602 per 1M or more (now 75), or a first
               token in TIME or more (now TIME)
             amazon-bedrock, with input at $14.000548 per 1M or less (now 15), or
               output at $72.501371 per 1M or less (now 75), or a first token in
               TIME or less (now TIME)

    --- stderr
    ");
    let keys = ["ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"];
    insta::assert_snapshot!(with_keys(&keys, "route explain claude-haiku-4.5 --tokens 8000/1000 --seed 1").snapshot(), @r"
    exit: 0
    --- stdout
    openrouter would answer. Nothing was sent.
    anthropic/claude-haiku-4.5: 8,000 tokens in, 1,000 out expected

         PROVIDER           PRICE    + WAIT    + RISK    + LOAD   = TOTAL
      1  openrouter      $0.01300  $0.00965  $0.00007  $0.00000  $0.02272  chosen
      2  anthropic       $0.01300  $0.00965  $0.00007  $0.00000  $0.02272  +0 %
      -  302ai           no key: set AI302_API_KEY
      -  abacus          no key: set ABACUS_API_KEY
      -  aihubmix        no key: set AIHUBMIX_API_KEY
      -  cortecs         no key: set CORTECS_API_KEY
      -  crossmodel      no key: set CROSSMODEL_API_KEY
      -  48 more: 32 no credential, 6 missing setting, 6 no base url, 2 protocol
         unsupported, 2 retired; --all shows them

    Margin   $0 behind it: anthropic; 2 within 2 %, seed 1 chose
    Chain    openrouter TIME, anthropic TIME: how long each may take to its first
             token while another is open
    At most  $0.33 for this call at openrouter
    Policy   balanced: $0.005 a second to the first token, $0.0015 a second of
             answer, $0.004 a failed call
    Data     assumed, on the good side: first token TIME, 240 tok/s, 99.2 %
             available (nothing measured)
    Replay   --at 2026-11-24T12:00:00Z --seed 1
    Would change it
             anthropic, if openrouter had input at $1.056806 per 1M or more (now
               1), or output at $5.454441 per 1M or more (now 5), or a first token
               in TIME or more (now TIME)
             anthropic, with input at $0.944308 per 1M or less (now 1), or output
               at $4.55447 per 1M or less (now 5), or a first token in TIME or
               less (now TIME)
             with a key of its own, each of qihang-ai (QIHANG_API_KEY), xpersona
               (XPERSONA_API_KEY), poe (POE_API_KEY) and 11 more

    --- stderr
    ");
    insta::assert_snapshot!(at_noon("route explain claude-haiku-4.5 --strict").snapshot(), @r"
    exit: 4
    --- stdout

    --- stderr
    error: no key for any of 39 providers
      looked in  ANTHROPIC_API_KEY, OPENROUTER_API_KEY, ABACUS_API_KEY,
                 AI302_API_KEY and 34 more (not set)
      fix:       export ANTHROPIC_API_KEY=... or try it without a key: openmux
                 --sandbox chat ...
    ");
}

#[test]
fn the_same_moment_and_seed_give_the_same_bytes() {
    let args = "route explain anthropic/claude-sonnet-5 -o json --seed 7";
    let (first, second) = (at_noon(args), at_noon(args));
    assert_eq!(first.code, Some(0));
    assert_eq!(first.stdout, second.stdout);
    let document: serde_json::Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!((&document["seed"], &document["at"]), (&7.into(), &"2026-11-24T12:00:00Z".into()));
}

#[test]
fn explain_names_the_provider_that_chat_then_uses() {
    let home = Home::new();
    let said = |args: &[&str]| {
        let output = home.openmux(args.iter().copied()).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
        serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap()
    };
    for seed in ["1", "2", "3"] {
        let common = ["--sandbox", "-m", "claude-sonnet-5", "-o", "json", "--seed", seed, "hi"];
        let explained = said(&[&["route", "explain"], &common[..]].concat());
        let answered = said(&[&["chat"], &common[..]].concat());
        assert_eq!(explained["chosen"], answered["provider"]);
        assert_eq!(explained["chosen"], explained["candidates"][0]["provider"]);
        assert_eq!(answered["simulated"], true);
    }
}

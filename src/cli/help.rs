//! Help topics, from the same tables as the man pages, and better words for common mistakes.

mod check;
mod config;
mod dialects;
mod failures;
pub(super) mod short;

use serde_json::Value;

use super::args::{Format, HelpArgs, command_for};
use super::contract::{ENVIRONMENT, Exit, FILES, PROVIDER_ENVIRONMENT, schemas};
use super::error::{CliError, nearest};
use super::render::narrow::narrow;
use super::render::text::{Style, trim_ends, wrap};
use super::settings::Settings;
use super::{Outcome, print};

/// What `openmux` alone prints: fits 24 lines of 80 columns.
pub(crate) fn first_page(style: Style, columns: usize) -> String {
    let page = narrow(FIRST, columns);
    let lines = page.lines().map(|line| match line {
        "No key needed" | "Key needed" | "Try" => style.bold(line) + "\n",
        _ => line.replacen("Usage:", &style.bold("Usage:"), 1) + "\n",
    });
    lines.collect()
}

const FIRST: &str = "\
Compare LLM models and providers, call them, and choose between them.
Usage: openmux <COMMAND> [OPTIONS]

No key needed
  models list|show        Find models by price, context, abilities; one in full
  providers list|compare  Who serves a model, at what price, how fast
  providers history       How they did, as this machine saw it
  route explain           Which provider a call would use, and why
  route replay|simulate   Decisions of the past, and under other policies
  usage, config show      What was spent; what is set, and where that is from
  check                   Assert facts about models, for CI
  catalog update          Newer models and prices
  sandbox, completions    Simulated providers; completion for your shell
Key needed
  chat                    Send one prompt, stream the answer
  providers check|probe   Do they take the key; how fast are they now
  serve                   A local gateway for clients of OpenAI and Anthropic
Try
  openmux --sandbox chat -m anthropic/claude-sonnet-5 \"Hello!\"
  git diff | openmux chat -m claude-haiku-4.5 \"Write a commit message\"

More: openmux COMMAND -h, and openmux help with output, exit-codes, environment,
config, routing, messages, failures, check or dialects
";

/// Every topic: its name and its text.
pub(crate) fn topics() -> Vec<(&'static str, String)> {
    vec![
        ("output", output()),
        ("exit-codes", exit_codes()),
        ("environment", environment()),
        ("config", config::text()),
        ("routing", ROUTING.to_owned()),
        ("messages", MESSAGES.to_owned()),
        ("failures", failures::text()),
        ("check", check::TEXT.to_owned()),
        ("dialects", dialects::text()),
    ]
}

fn output() -> String {
    let documents = schemas::documents();
    let documents: Vec<(&str, &str)> = documents.iter().map(|(name, about)| (*name, about.as_str())).collect();
    OUTPUT.to_owned() + &terms(&documents, 72)
}

fn exit_codes() -> String {
    let mut text = String::from(
        "One meaning each, the same in every command. With several failures the last\nattempt's code counts.\n\n",
    );
    for exit in Exit::ALL {
        for (at, line) in wrap(exit.meaning(), WIDTH - 20).iter().enumerate() {
            let (code, name) = if at == 0 { (exit.code().to_string(), exit.name()) } else { (String::new(), "") };
            text += &format!("{code:>5}  {name:<11}  {line}\n");
        }
    }
    text + "\nTrying again helps after 8, 9 and 10, and later after 7.\n"
}

fn environment() -> String {
    let mut text = String::from("Flags win over variables; an empty variable counts as unset.\n\n");
    text += &terms(ENVIRONMENT, WIDTH);
    text.push('\n');
    for line in wrap(PROVIDER_ENVIRONMENT, WIDTH) {
        text += &line;
        text.push('\n');
    }
    text + "\nFiles\n\n" + &terms(FILES, WIDTH)
}

fn terms(table: &[(&str, &str)], columns: usize) -> String {
    let mut text = String::new();
    for (term, meaning) in table {
        text += &format!("  {term}\n");
        for line in wrap(meaning, columns - 6) {
            text += &format!("      {line}\n");
        }
    }
    text
}

/// Columns that every terminal has.
const WIDTH: usize = 78;

// At most 72 columns: man pages indent these two.
const OUTPUT: &str = "\
stdout is data, stderr is talk. A closed stdout is no failure (exit 0).

  table   for people; columns that do not fit are left out (the default
          of lists on a terminal)
  wide    all columns, however wide
  tsv     no header, plain numbers (the default of lists in a pipe)
  csv     RFC 4180 with a header
  json    {\"schema\": \"models.list/1\", \"catalog\": {...},
          \"warnings\": [], \"data\": [...]}
  jsonl   one object a line, without an envelope
  md      a table for pull requests
  ids     one id a line
  text    chat only: the answer as it comes
  github  check only: workflow commands, ::error file=...,line=...::
  junit   check only: JUnit's XML

Money in JSON is an exact decimal number. Unknown is null in JSON, empty
in TSV and CSV, and - in tables; free is 0. Within one schema number,
members are only ever added; -o json@1 asks for the schemas of number 1,
which are all that there are. --fields chooses and orders columns.

chat -o text prints the answer as it comes, then each tool call as a
line. On a terminal control characters of the answer are shown as signs.
chat -o json and the end event of -o jsonl have message: the model's
turn in the form of --messages, with the signatures that its provider
wants back. Append it and the tools' results, and go on. Of an answer
that --resume put together nobody says what the part that broke off
cost, so that usage and cost_usd of the whole are null. With -o json or
jsonl a failure is one line on stderr.

The documents, and what is in them: `openmux help output NAME` prints a
JSON Schema, which says what each member means and in what unit;
`openmux help output --json` prints all of them. A row of -o jsonl is
one of data[].

";

const MESSAGES: &str = "\
chat --messages FILE takes a conversation as a JSON array, in the form
of OpenAI's Chat Completions; - is stdin. What is attached, the words
and stdin become one more message of the user.

  {\"role\": \"system\", \"content\": \"...\"}        also \"developer\"
  {\"role\": \"user\", \"content\": \"...\" or [PART, ...]}
  {\"role\": \"assistant\", \"content\": \"...\", \"tool_calls\": [
    {\"id\": \"c1\", \"type\": \"function\",
     \"function\": {\"name\": \"w\", \"arguments\": \"{\\\"a\\\": 1}\"}}]}
  {\"role\": \"tool\", \"tool_call_id\": \"c1\", \"content\": \"...\"}

An assistant's message may also have reasoning and its signature, a tool
call a signature, and the message an origin, which says who made them:
what `chat -o json` gave under message goes back as it is. Whoever
cannot take back what another provider signed is not asked. A tool's
message may have \"is_error\": true. A PART is one of

  {\"type\": \"text\", \"text\": \"...\"}
  {\"type\": \"image_url\",
   \"image_url\": {\"url\": \"data:...;base64,...\" or \"https:...\"}}
  {\"type\": \"file\",
   \"file\": {\"filename\": \"a.pdf\", \"file_data\": \"data:...;base64,...\"}}
  {\"type\": \"image\", \"source\": {\"type\": \"base64\", \"data\": \"...\"}}
  {\"type\": \"document\", \"source\": {\"type\": \"url\", \"url\": \"https:...\"}}

What a file is is told by its bytes. An address in a conversation is
fetched by the provider, one given to -a by openmux. Anything that
cannot be sent is an error with its place, such as [2].content[0].type.

chat --tool FILE takes one tool or an array of them, each as

  {\"type\": \"function\", \"function\":
    {\"name\": ..., \"description\": ..., \"parameters\": {...}}}
  {\"name\": ..., \"description\": ..., \"parameters\": {...}}
  {\"name\": ..., \"description\": ..., \"input_schema\": {...}}

parameters is the JSON Schema of an object.
";

const ROUTING: &str = "\
For each call openmux adds up, in dollars, for every provider that can
serve it:

  price   the exact price of the expected request, with tiers, cached
          input and fees
  write   what writing the prompt cache costs beyond that, where the
          request says what is to be kept
  wait    what waiting is worth: seconds to the first token, and seconds
          of answer after it
  risk    the odds of a failure times what a failed call costs
  load    the odds of being turned away (429) times what that costs
  switch  what leaving a prompt cache that is warm elsewhere costs
  next    in a conversation, what the input of its next turn is expected
          to cost there, times the odds of one (0.7); it is no
          part of this call's price

The lowest sum goes first, and the order of the sums is the order of
failover. Within 2 % of the best the one whose prompt cache holds the
conversation goes first, then the least loaded, then the seed decides.
`route explain` prints every term before anything is sent; the same
--at, --seed and measurements give the same bytes. Waits and risks come
from your own calls, and so does the length of the answer that is
expected (--max-tokens caps it). Until there are any they are stated
priors, marked as assumed: 0.6 s to the first token (the median; 0.68 s
on average, which is what is counted) and 240 tokens a second, which is
better than most. That is optimism in the face of the
unknown: a provider that was never called is called once, and then
judged by what it did. One answer tells its speed, a few its wait. What
failed or was slow counts for half after 30 s in a busy process, and
later the fewer the calls; what is usual lasts for hours.

A provider that failed is left alone for a while (`help failures`); then
one call tries it. Once that has gone well, a gateway that has 32 calls
in flight there gives it 10, 25 and 50 % of what else comes, for 10 s
each, so that what has just got up is not run over; the seed decides
which calls. Those that it does not get ask the others first, and this
one where no other is left. `route explain` says so. The command line,
and whoever has fewer calls in flight, gives it everything at once.

A first token may take twice the 95th percentile of its wait, at least
3 s and 0.1 s more for 1,000 tokens that no cache holds, at most 30 s
(2 min where the model reasons in hiding); then the next is tried. An
answer in one piece (--no-stream) may take that, and then as long as the
longest that is asked for takes at 20 tokens a second (8,192 tokens
without --max-tokens). A limit of your own that ends an attempt sooner
is not held against the provider.

A conversation is told by --session ID, or by its first messages, and
remembered for a day as a salted hash, never in words. Its prompt cache
counts as warm for 5 minutes from its last answer, so it stays there as
long as that saves money; a turn that leaves says what that costs. The
messages themselves are yours to keep: --messages sends them.

What each chat decided is kept for 90 days, without prompt or key.
`route replay` makes such a decision again, to the byte, or under
another policy; `route simulate` says what your own calls would have
cost and taken under other policies, and how sure that is.

--prefer price|balanced|latency|throughput sets what a second is worth,
--time-value sets it in dollars an hour. --prefer zenmux (shortest first
token), zenmux-origin (the author's own, then that), openrouter-classic
(no fault in 30 s, then a draw by 1/price squared) and order (--order,
then by name) are the rules of hosted systems: the terms are printed,
and the rule decides.

--order, --only, --ignore, --provider, --no-gateways, --max-price-in,
--max-price-out, --max-cost, --quantization and --require are never
traded away, nor is the day's budget (config.toml), of which `route
explain` and --dry-run say what is left. --max-ttft, --min-throughput,
--min-availability: with require: before the value what is measured
beyond it is not used, else it comes last. What was not measured is
neither a pass nor a fail: it comes behind what is known to keep to the
limit, before what misses it. --region prefers a region, --region
require:eu uses nothing outside it. --lenient leaves temperature, top-p,
seed and effort out where a provider does not take them, and says so.
--profile takes all of these from config.toml.

`route explain` also says what would change it: the value of time, the
prices and the waits at which another provider goes first, the keys and
the presets that would do it; each was decided on both sides. --why
PROVIDER says why that one is not first, and what would make it.

--hedge asks a second provider as well where no token has come from the
first by the time that 95 of 100 of its answers take, and the wait is
worth the second call's price. Who begins first answers; the other is
cancelled, counts as no failure, and may be billed. `route explain
--hedge` says whom, when and how much, or why nobody. Never where a
provider bills a cancelled answer to its end or nobody knows whether it
does, never where both could exceed --max-cost, and for no more than 5 %
of your requests of the last 30 days (2 more are free of that count).

--fallback MODEL,MODEL goes on to other models, where every provider of
the one before has failed or none can be used; --fallback-on names other
failures. A refusal by a content filter is not among them unless named.
--max-cost holds for each. A failure before the first token moves
on to the next provider and says so; after it, nothing is sent again,
unless you ask for it:

chat --resume hands an answer that broke off in the middle (a cut, a
stall, an error in the stream) to the next provider that is known to
take the beginning of an answer, or to the same one where no other is
open and --retries allows it. What it says follows directly; the seam is
told. --max-tokens and --max-cost hold for all parts together. Never
gone on with: what you stopped, tool calls, reasoning alone, --schema,
what a filter or the limit ended. Known to take a beginning, where they
do not think first: Claude up to 4.5 at Anthropic, Amazon Bedrock and
Vertex AI (later ones refuse it), Mistral, Moonshot, Qwen at Alibaba,
vLLM, llama.cpp; others by prefill = \"plain\", \"prefix\", \"partial\" or
\"continue_final_message\" under [provider.ID] of an overlay.
";

/// Runs the command.
///
/// # Errors
/// There is no such command or topic.
pub(crate) fn help(settings: &Settings, args: &HelpArgs) -> Outcome {
    if args.topic.is_empty() {
        return print(&first_page(settings.out, settings.width));
    }
    if let [topic, document] = args.topic.as_slice()
        && topic == "output"
    {
        return print(&pretty(&schema(document)?));
    }
    let name = args.topic.join(" ");
    if let Some((_, text)) = topics().into_iter().find(|(topic, _)| *topic == name) {
        return match (settings.format, name.as_str()) {
            (Some(Format::Json), "exit-codes") => print(&exit_codes_json()),
            (Some(Format::Json), "output") => print(&every_schema()?),
            _ => print(&narrow(&text, settings.width)),
        };
    }
    let mut command = command_for(&args.topic).term_width(settings.width.min(100));
    command.build();
    let mut found = &mut command;
    for word in &args.topic {
        match found.find_subcommand_mut(word) {
            Some(next) => found = next,
            None => return Err(unknown_topic(&name)),
        }
    }
    let text = found.render_long_help();
    print(&trim_ends(&if settings.out.on { text.ansi().to_string() } else { text.to_string() }))
}

fn exit_codes_json() -> String {
    let rows = Exit::ALL.map(|exit| {
        let mut row = serde_json::Map::new();
        row.insert("code".to_owned(), exit.code().into());
        row.insert("name".to_owned(), exit.name().into());
        row.insert("meaning".to_owned(), exit.meaning().into());
        row.insert("retry".to_owned(), exit.retry().into());
        Value::from(row)
    });
    document("help.exit-codes/1", rows.to_vec().into())
}

fn document(schema: &str, data: Value) -> String {
    format!("{}\n", serde_json::json!({ "schema": schema, "data": data }))
}

fn every_schema() -> Result<String, CliError> {
    let mut all = serde_json::Map::new();
    for (name, _) in schemas::documents() {
        all.insert(name.to_owned(), schema(name)?);
    }
    Ok(document("help.output/1", all.into()))
}

/// The JSON Schema of a document.
fn schema(name: &str) -> Result<Value, CliError> {
    schemas::schema(name).map_err(|lacking| {
        if let Some(lacking) = lacking {
            return CliError::bug("contract", lacking);
        }
        let documents = schemas::documents();
        let names: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
        let error = CliError::usage(format!("there is no document \"{name}\"")).near(name, &names);
        error.fact("documents", names.join(" ")).fix("openmux help output")
    })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn unknown_topic(name: &str) -> CliError {
    let command = command_for::<&str>(&[]);
    let topics = topics();
    let names: Vec<&str> =
        topics.iter().map(|(topic, _)| *topic).chain(command.get_subcommands().map(clap::Command::get_name)).collect();
    let error = CliError::usage(format!("there is no command or topic \"{name}\"")).near(name, &names);
    let topics = topics.iter().map(|(topic, _)| *topic).collect::<Vec<_>>().join(" ");
    let fix = nearest(name, &names).map_or("openmux help".to_owned(), |near| format!("openmux help {near}"));
    error.fact("topics", topics).fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_fit_every_terminal() {
        for (topic, text) in topics() {
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(longest <= WIDTH, "{topic}: {longest} columns");
        }
        for text in [&output(), ROUTING, MESSAGES, check::TEXT] {
            assert!(text.lines().all(|line| line.chars().count() <= 72), "{text}");
        }
    }
}

//! The topic `config`: the files, their tables, what goes before what; the keys from the table that the code reads them by.

use super::super::contract::SETTINGS;
use super::super::render::text::wrap;

const WIDTH: usize = 72;

const HEAD: &str = "\
A flag goes before a variable of openmux, that before a provider's own
variables, those before the project's file, that before your own file,
that before what is built in. `openmux config show` says what holds and
why, `openmux config path` where the files are. An unknown key is an
error with its line.

Your own file is config.toml (--config names another), a project's is
the nearest .openmux.toml in the folder you are in or above it, up to
the repository's root or your home. Both are TOML:

  [defaults]                      # flags that are not typed
  model = \"fast\"
  max_cost = \"0.50\"

  [aliases]                       # wherever a model is named
  fast = \"anthropic/claude-haiku-4.5\"
  cheap = \"deepseek-v3.2:deepseek\"

  [columns]                       # of tables, without --fields
  models_list = [\"id\", \"context\", \"input\", \"output\"]

  [profiles.eu]                   # --profile eu
  region = \"require:eu\"
  ignore = [\"poe\"]

  [budget]                        # of all chats of a day (UTC)
  day_usd = 5.00

  [serve]                         # requests may wish: never, asked, always
  resume = \"asked\"              # that another goes on with a broken stream
  hedge = \"never\"               # that a second is asked beside a slow one
  origins = [\"app://obsidian.md\"] # pages and apps that may ask, beside
                                  # those of this machine

  [probe]                         # what providers probe may do
  max_run_usd = 1
  max_day_usd = 5
  max_probes_per_day = 200

  [providers.openai]              # where its key comes from
  key_cmd = [\"op\", \"read\", \"op://private/openai\"]
  # or key_file = \"~/.secrets/openai\", or key = \"...\"

  [catalog]                       # what catalog update does
  url = \"https://models.acme.example/openmux.catalog\"
  trusted_keys = { acme = \"...\" } # as openmux catalog key prints them

Keys of [defaults], the flags of the same name with - for _:
";

const BEHIND: &str = "
Those with a * may stand in a profile, too, which goes before
[defaults]. A default of output is for lists, json and jsonl for every
command; provider, region and max_cost give way to variables and flags.

An alias is lower-case letters, digits, \".\", \"_\" and \"-\"; :PROVIDER or
:VARIANT may stand behind it. It goes before a model of that name, so
that a newer catalog breaks nothing, and a warning says so. `openmux
models show ALIAS` says what it stands for.

[columns] is for tables alone, of models_list, models_show,
providers_list and providers_compare: scripts see what they always did.

[catalog] url says where from, --from and $OPENMUX_CATALOG_URL go before
it. Who trusts a key takes nothing that none of the trusted keys signed;
`openmux catalog release --help` says how such a catalog is made.

A project's file is also an overlay: [[endpoint]] tables with prices and
limits, which costs and --max-cost are computed with. By itself it may
choose models and providers, name aliases and profiles, and lower what
may be spent. What follows is left out, with one warning, until
`openmux config trust` takes the file as it is:

  [providers.ID]       it would run a command or name a key
  [provider.ID]        it would send a key elsewhere
  [[endpoint]]         prices, limits and places that --max-cost, budgets
                       and region are held against
  [catalog]            where catalogs come from (trusted_keys never)
  [serve] origins      which pages may ask a gateway of yours
  max_cost, max_price_in, max_price_out, retries, [budget], [probe]
                       higher than yours
  only, provider, ignore, region, quantization, require, max_ttft,
  min_throughput, min_availability, offline
                       where it gives up what yours require
  allow_unpriced, lenient
                       unless yours say so
  profile, [profiles.NAME], [aliases]
                       another default profile than yours, or your name
                       for something else; nor is an alias of its own
                       the name of a model

Trust is of the path and of every byte; a changed file must be trusted
anew. A file in a folder that everybody can write to is left out as a
whole.
";

/// The topic.
pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    for setting in SETTINGS {
        let mark = if setting.in_profile { "*" } else { " " };
        let said = [
            setting.variable.map(|name| format!("${name}")),
            setting.builtin.map(|value| format!("built in: {value}")),
        ];
        let said = said.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let lines = wrap(&said, WIDTH - 25);
        text += format!("  {:<21}{mark} {}", setting.key, lines.first().map_or("", String::as_str)).trim_end();
        text.push('\n');
        for line in lines.iter().skip(1) {
            text += &format!("{:25}{line}\n", "");
        }
    }
    text + BEHIND
}

//! The topic `check`: what can be asserted, and what the answers mean.

/// Its text, of at most 72 columns: man pages indent it.
pub(super) const TEXT: &str = "\
check answers each assertion with ok, no or unknown, and gives the fact,
the line that asserts it and one thing to do. It reads the catalog, your
keys' names and what was measured on this machine; only --probe sends
anything. Assertions come from flags, or from a file:

  [catalog]
  max_age = \"30d\"

  [[model]]
  id = \"anthropic/claude-sonnet-5\"
  provider = [\"anthropic\", \"amazon-bedrock\"]  # each; left out: below
  max_price_in = \"3.00\"                       # USD per 1M tokens
  has = [\"tools\", \"vision\"]
  not_retiring = \"90d\"

  [[provider]]
  id = \"openai\"
  has_key = true

Of a model, its offers by these providers (and by the one that a
model:provider or an alias pins), else its author's own, else the
cheapest:

  max_price_in, max_price_out, max_price_cache_read,
  max_price_cache_write; max_call_price, with tokens = \"8000/1000\"
  min_context, min_output; has (the words of models list's CAN)
  not_retiring: not retired, nor to be within so many days; the last day
  is not over while it lasts
  max_ttft, min_tps, min_availability: of your own calls and probes in
  window (72h), of the size of tokens where that is stated

Of a model as such: exists (true or false), served_by, min_providers,
min_callable. Of a provider: exists, has_key, serves, min_availability.
A model that is retired (or whose announced last day is over) is a no,
and one that no fresh list has is unknown, whatever else is asserted of
it. A key_cmd is not run, so has_key is unknown: `openmux providers
check` runs it.

max_age is about the offers of which something is asserted, else about
most of the catalog. What an update does not list is as old as before.

unknown is never ok: a price or a limit that nobody states, an ability
that no source mentions, a limit that lies between what sources say, a
median or an availability of fewer than 8 samples, and a measured figure
whose 95 % interval does not lie on one side of its limit. A provider
without such an offer is a no, one that nobody knows is unknown.

Exit 0: all ok. 1: some no. Else some unknown: 3 (not known), 4 (a probe
has no key), 5 (measurements cannot be read), 7 to 9 (a probe failed),
11 (a probe would cost too much); of several the lowest.

--probe measures what is asserted first, at most --max-cost USD in all:
max_ttft and min_tps are then of those calls alone, min_availability of
all in window. They are short: of tokens beyond 1,000 in no wait and no
speed is probed.

--lock FILE keeps price sheet, limits, abilities, status and last day of
the models that are named (where --provider says). Where FILE is there,
each fact that has changed is a no (also an ability that is new, or that
a source denies), and one that nobody states any more unknown.
--update-lock writes it anew; --locked takes a missing FILE for an
error, as CI should.

-o github prints workflow commands, -o junit JUnit's XML, -o json and
jsonl rows: openmux help output. A fix is one command. A replacement
that it proposes is the newest model of the same family of which no end
is announced, told by its name, not by its maker.
";

//! The tables of the observation store (`metrics.md` 3.2, `decisions.md` 20), and how they came to be.

/// What `PRAGMA user_version` says of this schema.
pub(super) const VERSION: i64 = 8;

/// What makes each version of the one before it; the first makes version 1 of an empty file.
pub(super) const STEPS: [&str; 8] = [CREATE, FOLD, SESSION, ASKED, TRADED, NUMBERED, REOPENED, LOOKED_UP];

/// From this version on the folds of endpoints are as they are now.
pub(super) const FOLDED: i64 = 2;

/// Settings of every connection.
pub(super) const PRAGMAS: &str = "
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA temp_store=MEMORY;
PRAGMA foreign_keys=ON;
";

/// Everything that version 1 has.
const CREATE: &str = "
CREATE TABLE endpoint(
  id INTEGER PRIMARY KEY, provider TEXT NOT NULL, host TEXT NOT NULL, protocol TEXT NOT NULL,
  upstream_model TEXT NOT NULL, model TEXT NOT NULL, variant TEXT NOT NULL DEFAULT '',
  key_fp TEXT NOT NULL DEFAULT '',
  UNIQUE(provider,host,protocol,upstream_model,variant,key_fp)) STRICT;

CREATE TABLE obs(
  id INTEGER PRIMARY KEY, ts_ms INTEGER NOT NULL, ep INTEGER NOT NULL REFERENCES endpoint(id),
  grp BLOB,
  src INTEGER NOT NULL,
  class INTEGER NOT NULL, http INTEGER, code TEXT,
  phase INTEGER,
  dns_us INTEGER, tcp_us INTEGER, tls_us INTEGER, head_us INTEGER, ttft_us INTEGER, ttfa_us INTEGER,
  decode_us INTEGER, e2e_us INTEGER, sched_lag_us INTEGER,
  in_tok INTEGER, cached_tok INTEGER, cw5_tok INTEGER, cw1h_tok INTEGER, out_tok INTEGER, reason_tok INTEGER,
  stream_tok INTEGER, n1_tok INTEGER, events INTEGER, reads INTEGER, burst_pm INTEGER,
  tok_src INTEGER, effort TEXT, finish TEXT, retry_after_ms INTEGER,
  flags INTEGER NOT NULL DEFAULT 0,
  net INTEGER,
  cost_pd INTEGER, bill_pd INTEGER, cost_state INTEGER, price_ver INTEGER, prompt_ver INTEGER,
  connect_us INTEGER) STRICT;
CREATE INDEX obs_ep_ts ON obs(ep, ts_ms DESC, class, flags, ttft_us, decode_us, stream_tok);
CREATE INDEX obs_ts ON obs(ts_ms);

CREATE TABLE state(
  ep INTEGER NOT NULL, stratum INTEGER NOT NULL, upd_ms INTEGER NOT NULL,
  a REAL NOT NULL, b REAL NOT NULL, r REAL NOT NULL,
  af REAL NOT NULL, bf REAL NOT NULL,
  wt REAL NOT NULL, mt REAL NOT NULL, st REAL NOT NULL,
  wd REAL NOT NULL, md REAL NOT NULL, sd REAL NOT NULL,
  lam REAL NOT NULL,
  fails INTEGER NOT NULL, ejections INTEGER NOT NULL, cool_until_ms INTEGER NOT NULL, cool_why INTEGER,
  last_ok_ms INTEGER, last_fail_ms INTEGER, PRIMARY KEY(ep,stratum)) STRICT, WITHOUT ROWID;

CREATE TABLE hist(
  ep INTEGER NOT NULL, metric INTEGER NOT NULL, hour INTEGER NOT NULL, bin INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(ep,metric,hour,bin)) STRICT, WITHOUT ROWID;
CREATE TABLE tally(ep INTEGER NOT NULL, hour INTEGER NOT NULL, class INTEGER NOT NULL, n INTEGER NOT NULL,
  cost_pd INTEGER NOT NULL, PRIMARY KEY(ep,hour,class)) STRICT, WITHOUT ROWID;
CREATE TABLE price(ver INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, taken_ms INTEGER NOT NULL,
  sheet TEXT NOT NULL) STRICT;
CREATE TABLE budget(id INTEGER PRIMARY KEY, day INTEGER NOT NULL, made_ms INTEGER NOT NULL, scope TEXT NOT NULL,
  reserved_pd INTEGER NOT NULL, spent_pd INTEGER) STRICT;
CREATE TABLE decision(id BLOB PRIMARY KEY, ts_ms INTEGER NOT NULL, input TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT;
";

/// Version 2: the fold of an endpoint is one row, made anew from its attempts.
const FOLD: &str = "
ALTER TABLE obs ADD COLUMN warm_tok INTEGER;
ALTER TABLE obs ADD COLUMN room TEXT;
DROP TABLE state;
CREATE TABLE state(
  ep INTEGER PRIMARY KEY, upd_ms INTEGER NOT NULL, rate REAL NOT NULL,
  a REAL NOT NULL, b REAL NOT NULL,
  af REAL NOT NULL, bf REAL NOT NULL, r REAL NOT NULL,
  fail_s REAL, hit_asked REAL NOT NULL, hit_served REAL NOT NULL,
  moments BLOB NOT NULL, room TEXT,
  fails INTEGER NOT NULL, ejections INTEGER NOT NULL,
  cool_until_ms INTEGER, cool_since_ms INTEGER, cool_why INTEGER, trial_ms INTEGER, window BLOB NOT NULL,
  last_ok_ms INTEGER, last_fail_ms INTEGER) STRICT;
";

/// Version 3: where conversations are; of each a salted hash.
const SESSION: &str = "
CREATE TABLE session(
  hash BLOB NOT NULL, provider TEXT NOT NULL, upstream_model TEXT NOT NULL, key_fp TEXT NOT NULL, protocol TEXT NOT NULL,
  tokens INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY(hash, provider, upstream_model, key_fp)) STRICT, WITHOUT ROWID;
CREATE INDEX session_at ON session(at_ms);
";

/// Version 4: what a decision expected an attempt to cost and the most that it could, its input as estimated, and whether
/// the answer was asked for as a stream.
const ASKED: &str = "
ALTER TABLE obs ADD COLUMN expect_pd INTEGER;
ALTER TABLE obs ADD COLUMN bound_pd INTEGER;
ALTER TABLE obs ADD COLUMN est_tok INTEGER;
ALTER TABLE obs ADD COLUMN streamed INTEGER;
";

/// Version 5: the policies, facts and prices that decisions share, with the moment of the last decision that used each.
const TRADED: &str = "
CREATE TABLE traded(sha256 TEXT PRIMARY KEY, last_ms INTEGER NOT NULL, sheet TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Version 6: decisions are numbered in the order in which they are written, so that the first of too many can go, and are
/// found by their moment; the attempts of one request are found among those of its time without reading them.
const NUMBERED: &str = "
DROP INDEX obs_ts;
CREATE INDEX obs_ts ON obs(ts_ms, grp);
ALTER TABLE decision RENAME TO unnumbered;
CREATE INDEX unnumbered_ts ON unnumbered(ts_ms);
CREATE TABLE decision(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, ts_ms INTEGER NOT NULL, input TEXT NOT NULL) STRICT;
INSERT INTO decision(id, ts_ms, input) SELECT id, ts_ms, input FROM unnumbered
  WHERE ts_ms >= COALESCE((SELECT ts_ms FROM unnumbered ORDER BY ts_ms DESC LIMIT 1 OFFSET 199999), 0) ORDER BY ts_ms;
DROP TABLE unnumbered;
CREATE INDEX decision_ts ON decision(ts_ms);
";

/// Version 7: when the last pause of an endpoint was over.
const REOPENED: &str = "
ALTER TABLE state ADD COLUMN reopened_ms INTEGER;
";

/// Version 8: attempts are indexed by what an endpoint's are looked up by, and by nothing else.
const LOOKED_UP: &str = "
DROP INDEX obs_ep_ts;
CREATE INDEX obs_ep_ts ON obs(ep, ts_ms);
";

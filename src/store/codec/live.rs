//! What is known of a candidate at the moment of the call, as text: what it lacks, what is in flight, what was measured.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Float, Span, StoreError, is_plain, moment, named, parsed, parsed_if, span, time};
use crate::catalog::ProviderId;
use crate::observe::{Bucket, CacheHits, Cooling, EndpointStats, ErrorClass, Headroom, Moments, Share};
use crate::routing::Candidate;

#[derive(Debug, Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
pub(super) struct Live {
    #[serde(skip_serializing_if = "is_plain")]
    lacks: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    foreign_state: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    in_flight: u32,
    #[serde(skip_serializing_if = "is_plain")]
    stats: Stats,
}

impl Live {
    pub(super) fn of(candidate: &Candidate<'_>) -> Self {
        let lacks = candidate.lacks.iter().map(|&word| word.to_owned()).collect();
        let foreign_state = candidate.foreign_state.as_ref().map(ToString::to_string);
        Self { lacks, foreign_state, in_flight: candidate.in_flight, stats: Stats::of(&candidate.stats) }
    }

    pub(super) fn lay_over(self, candidate: &mut Candidate<'_>) -> Result<(), StoreError> {
        candidate.lacks = self.lacks.into_iter().map(lasting).collect();
        candidate.foreign_state = self.foreign_state.map(ProviderId::new);
        candidate.in_flight = self.in_flight;
        candidate.stats = self.stats.value()?;
        Ok(())
    }
}

/// A word that lives as long as the program, as those of the adapters do; there are few, and each is kept once.
fn lasting(word: String) -> &'static str {
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(word.as_str()) {
        return known;
    }
    let new: &'static str = Box::leak(word.into_boxed_str());
    words.insert(new);
    new
}

/// Weight, mean and squares.
type Three = (Float, Float, Float);

#[derive(Debug, Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Stats {
    recent: (Float, Float),
    lasting: (Float, Float),
    #[serde(skip_serializing_if = "is_plain")]
    limited: Float,
    #[serde(skip_serializing_if = "is_plain")]
    ttft: Three,
    #[serde(skip_serializing_if = "is_plain")]
    ttft_by_size: Vec<(usize, Three)>,
    #[serde(skip_serializing_if = "is_plain")]
    ttft_lasting: Three,
    #[serde(skip_serializing_if = "is_plain")]
    speed: Three,
    #[serde(skip_serializing_if = "is_plain")]
    speed_lasting: Three,
    #[serde(skip_serializing_if = "is_plain")]
    output: Three,
    #[serde(skip_serializing_if = "is_plain")]
    failure: Option<Float>,
    #[serde(skip_serializing_if = "is_plain")]
    cache: (Float, Float),
    #[serde(skip_serializing_if = "is_plain")]
    requests: Option<Room>,
    #[serde(skip_serializing_if = "is_plain")]
    tokens: Option<Room>,
    #[serde(skip_serializing_if = "is_plain")]
    age: Option<Span>,
    #[serde(skip_serializing_if = "is_plain")]
    last_success: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    last_fault: Option<String>,
    /// Until when, and after which class.
    #[serde(skip_serializing_if = "is_plain")]
    cooling: Option<(String, String)>,
    #[serde(skip_serializing_if = "is_plain")]
    half_open: bool,
    /// The same of the pause that is over.
    #[serde(skip_serializing_if = "is_plain")]
    paused: Option<(String, String)>,
    #[serde(skip_serializing_if = "is_plain")]
    reopened: Option<String>,
}

/// Limit, what was left, when that was said, when it is full again.
type Room = (u64, u64, String, String);

fn three(Moments { weight, mean, squares }: &Moments) -> Three {
    (Float(*weight), Float(*mean), Float(*squares))
}

fn moments((weight, mean, squares): Three) -> Moments {
    Moments { weight: weight.0, mean: mean.0, squares: squares.0 }
}

fn room(Bucket { limit, left, at, full_at }: Bucket) -> Room {
    (limit, left, at.to_string(), full_at.to_string())
}

fn bucket(room: Option<Room>) -> Result<Option<Bucket>, StoreError> {
    let Some((limit, left, at, full_at)) = room else { return Ok(None) };
    Ok(Some(Bucket { limit, left, at: parsed("moment", &at)?, full_at: parsed("moment", &full_at)? }))
}

impl Stats {
    fn of(stats: &EndpointStats) -> Self {
        let EndpointStats {
            recent,
            lasting,
            limited,
            ttft,
            ttft_by_size,
            ttft_lasting,
            speed,
            speed_lasting,
            output,
            failure_s,
            cache,
            headroom,
            age,
            last_success,
            last_fault,
            cooling,
            half_open,
            paused,
            reopened,
        } = stats;
        let share = |Share { successes, faults }: &Share| (Float(*successes), Float(*faults));
        let sizes = ttft_by_size.iter().map(three).enumerate().filter(|(_, size)| !is_plain(size));
        let CacheHits { asked, served } = cache;
        let pause = |Cooling { until, class }: Cooling| (until.to_string(), class.name().to_owned());
        Self {
            recent: share(recent),
            lasting: share(lasting),
            limited: Float(*limited),
            ttft: three(ttft),
            ttft_by_size: sizes.collect(),
            ttft_lasting: three(ttft_lasting),
            speed: three(speed),
            speed_lasting: three(speed_lasting),
            output: three(output),
            failure: failure_s.map(Float),
            cache: (Float(*asked), Float(*served)),
            requests: headroom.requests.map(room),
            tokens: headroom.tokens.map(room),
            age: age.map(span),
            last_success: moment(*last_success),
            last_fault: moment(*last_fault),
            cooling: cooling.map(pause),
            half_open: *half_open,
            paused: paused.map(pause),
            reopened: moment(*reopened),
        }
    }

    fn value(self) -> Result<EndpointStats, StoreError> {
        let share = |(successes, faults): (Float, Float)| Share { successes: successes.0, faults: faults.0 };
        let mut ttft_by_size = EndpointStats::default().ttft_by_size;
        for (at, size) in self.ttft_by_size {
            ttft_by_size.get_mut(at).into_iter().for_each(|place| *place = moments(size));
        }
        let class = |name: &str| ErrorClass::ALL.into_iter().find(|class| class.name() == name);
        let pause = |(until, name): (String, String)| {
            Ok::<_, StoreError>(Cooling { until: parsed("moment", &until)?, class: named("class", &name, class)? })
        };
        Ok(EndpointStats {
            recent: share(self.recent),
            lasting: share(self.lasting),
            limited: self.limited.0,
            ttft: moments(self.ttft),
            ttft_by_size,
            ttft_lasting: moments(self.ttft_lasting),
            speed: moments(self.speed),
            speed_lasting: moments(self.speed_lasting),
            output: moments(self.output),
            failure_s: self.failure.map(|float| float.0),
            cache: CacheHits { asked: self.cache.0.0, served: self.cache.1.0 },
            headroom: Headroom { requests: bucket(self.requests)?, tokens: bucket(self.tokens)? },
            age: self.age.map(time),
            last_success: parsed_if("moment", self.last_success.as_ref())?,
            last_fault: parsed_if("moment", self.last_fault.as_ref())?,
            cooling: self.cooling.map(pause).transpose()?,
            half_open: self.half_open,
            paused: self.paused.map(pause).transpose()?,
            reopened: parsed_if("moment", self.reopened.as_ref())?,
        })
    }
}

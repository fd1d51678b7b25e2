//! The grid: worlds times values of time, and every router in each on the same seeds.

use openmux::routing::Policy;

use super::catalogs::market;
use super::causes::{Causes, causes};
use super::informed::{self, Informed};
use super::oracle;
use super::peers;
use super::product::Product;
use super::run::{Ending, Played, Router, Seen, play};
use super::score::{Figures, Worth, figures, loss};
use super::statistics::{Mean, Paired, mean};
use super::workload::{Question, Workload};
use super::world::{Twist, Weather, World};

/// What our own row is called.
pub const OURS: &str = "openmux";

/// A kind of world; a seed makes it one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub market: &'static str,
    pub weather: Weather,
    /// Requests a second in the mean.
    pub rate: f64,
    pub twist: Twist,
    /// How long, in seconds.
    pub seconds: f64,
}

impl Place {
    /// `market/weather/rate/twist`.
    pub fn name(&self) -> String {
        let weather = if self.weather == Weather::Calm { "calm" } else { "stormy" };
        format!("{}/{weather}/{}/{}", self.market, self.rate, self.twist.name())
    }
}

/// A router in a cell: by seed, its loss in USD for a thousand requests and its other figures.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub losses: Vec<f64>,
    pub figures: Vec<Figures>,
    /// Where it loses over the router that is told the truth.
    pub causes: Vec<Causes>,
}

/// A place at one value of time.
#[derive(Debug, Clone)]
pub struct Cell {
    pub place: Place,
    /// USD a second of waiting.
    pub wait: f64,
    pub rows: Vec<Row>,
    /// The lower bound by seed.
    pub bound: Vec<f64>,
}

impl Cell {
    pub fn name(&self) -> String {
        format!("{}/{}", self.place.name(), self.wait)
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The peer with the lowest mean loss on these seeds.
    pub fn best_peer(&self) -> Option<&Row> {
        let peers = self.rows.iter().filter(|row| peers::NAMES.contains(&row.name.as_str()));
        peers.min_by(|a, b| mean(a.losses.clone()).value.total_cmp(&mean(b.losses.clone()).value))
    }

    /// A router's mean loss over the bound.
    pub fn regret(&self, row: &Row) -> f64 {
        Paired::of(&row.losses, &self.bound).mean
    }

    /// Ours against the best peer.
    pub fn judged(&self) -> Option<Judged<'_>> {
        let (ours, peer) = (self.row(OURS)?, self.best_peer()?);
        Some(Judged {
            peer: &peer.name,
            difference: Paired::of(&ours.losses, &peer.losses),
            ours: mean(ours.losses.clone()),
            theirs: mean(peer.losses.clone()),
            regret: self.regret(ours),
            peer_regret: self.regret(peer),
            bound: mean(self.bound.clone()).value,
            informed: self.row(informed::NAME).map_or(f64::NAN, |row| mean(row.losses.clone()).value),
        })
    }
}

/// Ours against the best peer of a cell, in USD for a thousand requests.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    pub peer: &'a str,
    pub difference: Paired,
    pub ours: Mean,
    pub theirs: Mean,
    pub regret: f64,
    pub peer_regret: f64,
    /// The mean of the bound, and the mean loss of the router that is told the truth.
    pub bound: f64,
    pub informed: f64,
}

impl Judged<'_> {
    /// Our regret over the best peer's.
    pub fn ratio(&self) -> f64 {
        self.regret / self.peer_regret
    }

    /// The same of the router that is told the truth: what can be reached.
    pub fn reachable(&self) -> f64 {
        (self.informed - self.bound) / self.peer_regret
    }

    /// What we lose over the truth, over what the best peer does; infinite where the peer loses nothing.
    pub fn over_truth(&self) -> f64 {
        let theirs = self.theirs.value - self.informed;
        if theirs > 0.0 { (self.ours.value - self.informed) / theirs } else { f64::INFINITY }
    }
}

/// A policy of ours for a value of time: what it is called, and how it is made.
pub type Variant<'a> = (&'a str, &'a (dyn Fn(f64) -> Policy + Sync));

/// What one seed gave: rows by value of time, then by router, and the bounds.
pub type Seeded = Vec<(f64, Vec<(String, f64, Figures, Causes)>)>;

/// Plays every router on one seed. Peers know no value of time, so they are played once.
pub fn seeded(
    place: Place,
    seed: u64,
    waits: &[f64],
    (ours, peers): (&[Variant<'_>], &[&str]),
    stopwatch: &dyn Fn() -> u64,
) -> Option<Seeded> {
    let world = World::new(seed, market(place.market)?, place.weather, place.twist, place.seconds, place.rate);
    let workload = Workload::new(seed, place.rate, place.seconds, place.twist == Twist::Bursty);
    let run = |router: &mut dyn Router| {
        if place.twist == Twist::WrongHistory {
            remember(&world, router);
        }
        play(&world, &workload, router, stopwatch)
    };
    let played: Vec<(&str, Played)> =
        peers.iter().filter_map(|name| Some((*name, run(peers::peer(name, &world)?.as_mut())))).collect();
    let at = |&wait: &f64| {
        let worth = Worth::of(wait);
        let told = run(&mut Informed::new(&world, worth));
        let row = |name: &str, played: &Played| {
            let causes = causes(played, &told, &world, worth);
            (name.to_owned(), loss(played, worth), figures(played, &world), causes)
        };
        let variant = |(name, policy): &Variant<'_>| row(name, &run(&mut Product::new(&world, policy(wait))));
        let mut rows: Vec<_> = ours.iter().map(variant).collect();
        rows.push(row(informed::NAME, &told));
        rows.extend(played.iter().map(|(name, played)| row(name, played)));
        (oracle::bound(&world, &workload, worth), rows)
    };
    Some(waits.iter().map(at).collect())
}

/// Old figures that are wrong: five attempts at every host within the last ten minutes.
fn remember(world: &World, router: &mut dyn Router) {
    let question = Question { id: usize::MAX, session: usize::MAX, continues: false, input: 500 };
    for nth in 0..5 {
        for (host, about) in world.market.hosts.iter().enumerate() {
            let ttft = about.ttft * world.belief(host);
            let began = -600.0 + 100.0 * f64::from(nth);
            let seen = Seen {
                host,
                began,
                ending: Ending::Answered,
                ttft: Some(ttft),
                decode: 250.0 / about.speed,
                took: ttft + 250.0 / about.speed,
                input: question.input,
                cached: 0,
                written: 0,
                output: 250,
                retry_after: None,
                left: None,
            };
            router.seen(&question, &seen, began + seen.took);
        }
    }
}

/// The cells of a place from what its seeds gave.
pub fn cells(place: Place, waits: &[f64], seeds: &[Seeded]) -> Vec<Cell> {
    let cell = |(at, &wait): (usize, &f64)| {
        let names: Vec<String> =
            seeds.first().map_or(Vec::new(), |seed| seed[at].1.iter().map(|row| row.0.clone()).collect());
        let rows = names.into_iter().enumerate().map(|(row, name)| Row {
            name,
            losses: seeds.iter().map(|seed| seed[at].1[row].1).collect(),
            figures: seeds.iter().map(|seed| seed[at].1[row].2).collect(),
            causes: seeds.iter().map(|seed| seed[at].1[row].3).collect(),
        });
        Cell { place, wait, rows: rows.collect(), bound: seeds.iter().map(|seed| seed[at].0).collect() }
    };
    waits.iter().enumerate().map(cell).collect()
}

//! The routing against simulated hosts and other people's rules, in short: means over fixed seeds, never single seeds.
//! The whole of it is the bench `simulate`.

use openmux::routing::Policy;

#[path = "../benches/simulate/sim/mod.rs"]
#[expect(unreachable_pub, dead_code, reason = "shared with the bench, which uses the rest")]
mod sim;

use sim::cells::{Cell, OURS, Place, Variant, cells, seeded};
use sim::informed;
use sim::peers;
use sim::product::Product;
use sim::statistics::mean;
use sim::world::{Twist, Weather};

/// USD a second of waiting.
const WAIT: f64 = 0.005;

/// The rules that come closest in these places; the bench plays all of them.
const RIVALS: [&str; 5] =
    ["static order", "litellm latency", "openrouter 1/p^2", "prequal hcl", "affinity, ttft, 10 s"];

fn place(market: &'static str, weather: Weather) -> Place {
    Place { market, weather, rate: 0.2, twist: Twist::Plain, seconds: 1800.0 }
}

fn played(place: Place, ours: Variant<'_>, peers: &[&str], seeds: std::ops::Range<u64>) -> Cell {
    let seeds: Vec<_> = seeds.filter_map(|seed| seeded(place, seed, &[WAIT], (&[ours], peers), &|| 0)).collect();
    cells(place, &[WAIT], &seeds).remove(0)
}

/// The mean loss of a router, over cells.
fn loss(cells: &[Cell], name: &str) -> f64 {
    let of = |cell: &Cell| cell.rows.iter().find(|row| row.name == name).map(|row| mean(row.losses.clone()).value);
    cells.iter().filter_map(of).sum::<f64>()
}

fn closest(cells: &[Cell]) -> f64 {
    RIVALS.into_iter().map(|name| loss(cells, name)).fold(f64::INFINITY, f64::min)
}

/// By how much the mean loss of the rivals exceeds ours, in percent of ours: the closest.
fn lead(cells: &[Cell]) -> f64 {
    (closest(cells) / loss(cells, OURS) - 1.0) * 100.0
}

/// What we lose over the router that is told the truth, as a share of what the closest rival does.
fn over_truth(cells: &[Cell]) -> f64 {
    let truth = loss(cells, informed::NAME);
    (loss(cells, OURS) - truth) / (closest(cells) - truth)
}

/// Our policy with other constants.
fn with(wait: f64, constants: &[(&str, f64)]) -> Policy {
    let mut policy = Product::policy(wait);
    for (constant, value) in constants {
        assert_eq!(Product::tuned(&mut policy, constant, *value), Some(()));
    }
    policy
}

fn in_storms(ours: Variant<'_>) -> Vec<Cell> {
    ["sonnet", "open"].into_iter().map(|market| played(place(market, Weather::Stormy), ours, &RIVALS, 1..9)).collect()
}

#[test]
fn its_mean_loss_is_the_lowest() {
    let cells = in_storms((OURS, &Product::policy));
    let (lead, over) = (lead(&cells), over_truth(&cells));
    assert!(lead > 8.0, "the closest rival loses only {lead:.1} % more");
    assert!(over < 0.45, "it loses {over:.2} of what the closest rival does over the truth");
}

#[test]
fn a_policy_that_forgets_what_it_saw_does_not_pass() {
    let blind = |wait: f64| {
        with(wait, &[("half_life_max", 1.0), ("half_life_min", 1.0), ("lasting_max", 1.0), ("recent", 1.0)])
    };
    let lead = lead(&in_storms((OURS, &blind)));
    assert!(lead < 0.0, "the gate lets it through with {lead:.1} %");
}

#[test]
fn a_policy_that_believes_no_speed_does_not_pass() {
    // It also fails where the simulated answers say nothing of their speed: then belief changes nothing.
    let deaf = |wait: f64| with(wait, &[("prior_speed_samples", 1e9), ("lasting_speed_samples", 1e9)]);
    let over = over_truth(&in_storms((OURS, &deaf)));
    assert!(over > 0.7, "the gate lets it through with {over:.2}");
}

#[test]
fn the_same_seed_is_the_same_world_whoever_is_played() {
    let losses = |peers: &[&str]| {
        let cell = played(place("oss", Weather::Calm), (OURS, &Product::policy), peers, 1..2);
        let of = |name: &str| cell.rows.iter().find(|row| row.name == name).map(|row| row.losses.clone());
        (of(OURS), of("static order"), cell.bound.clone())
    };
    assert_eq!(losses(&["static order"]), losses(&["litellm shuffle", "static order"]));
}

#[test]
fn nobody_beats_the_bound() {
    for market in sim::catalogs::NAMES {
        let ours: &(dyn Fn(f64) -> Policy + Sync) = &Product::policy;
        let cell = played(place(market, Weather::Stormy), (OURS, ours), &peers::NAMES, 1..3);
        for row in &cell.rows {
            for (loss, bound) in row.losses.iter().zip(&cell.bound) {
                assert!(loss >= bound, "{market}: {} comes to {loss} below {bound}", row.name);
            }
        }
    }
}

#[test]
fn an_interval_over_pairs_is_students() {
    use sim::statistics::Paired;
    // Differences -1, -2, -3: mean -2, deviation 1, t of two degrees of freedom 4.303.
    let paired = Paired::of(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]);
    assert!((paired.mean + 2.0).abs() < 1e-12 && (paired.half - 4.303 / 3.0_f64.sqrt()).abs() < 1e-9, "{paired:?}");
    assert_eq!(paired.verdict(), "not separable");
    assert_eq!(Paired::of(&[1.0, 2.0, 2.9], &[4.0, 5.0, 6.0]).verdict(), "lower");
}

//! What `openmux serve` adds to a call, beside a direct call and beside nginx as a plain proxy, all in one run on one
//! machine: `cargo bench --bench serve`. Prints a table. Needs the release binary (`cargo build --release`, or
//! `OPENMUX_BINARY`) and nginx (`apt-get install nginx-light`); without nginx it says so and stops.
//!
//! The upstream of what counts requests is nginx, too: it answers from memory. The upstream of what measures waits is
//! part of this program: each piece that it streams carries the moment at which it was sent, so the delay of every piece
//! is known, not guessed. `-- N` runs N rounds (5); the median of the rounds is printed.
#![expect(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::disallowed_methods, reason = "it starts programs and writes their configuration")]

mod load;
mod paced;
mod places;
mod table;

use std::time::Duration;

use load::Load;
use places::{Gateway, Nginx};
use table::Table;

/// Pieces of a streamed answer.
const PIECES: usize = 67;
/// For how long a row is measured in a round.
const ROUND: Duration = Duration::from_millis(1500);

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rounds = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(5);
    let Some(nginx) = Nginx::start(PIECES) else {
        println!("nginx is not installed: apt-get install nginx-light");
        return std::process::ExitCode::from(2);
    };
    let paced = paced::start();
    let gateway = Gateway::start(&nginx, paced);
    let mut table = Table::default();
    table.note("ready after start", format!("{:.1} ms", gateway.ready.as_secs_f64() * 1e3), "<= 50 ms");
    table.note("resident when ready", gateway.resident(), "");

    // What nobody has asked for yet: a failure, then somebody else.
    let mut worst: Vec<Duration> = Vec::new();
    let mut plain: Vec<Duration> = Vec::new();
    for number in 0..places::FAILOVERS {
        plain.push(load::once(gateway.port, &load::json(&format!("bench/steady-{number}"), false)));
        worst.push(load::once(gateway.port, &load::json(&format!("bench/failover-{number}"), false)));
    }
    let added = load::median(&mut worst).saturating_sub(load::median(&mut plain));
    table.note("failover 503 -> good adds", format!("{:.2} ms p50", added.as_secs_f64() * 1e3), "<= 2 ms");

    let places = [("direct", nginx.upstream), ("nginx", nginx.proxy), ("openmux", gateway.port)];
    let rows = [
        ("JSON", "whole", false, 1),
        ("JSON", "whole", false, 32),
        ("SSE", "stream", true, 1),
        ("SSE", "stream", true, 32),
    ];
    for _ in 0..rounds {
        for (row, model, stream, clients) in rows {
            for (name, port) in places {
                measure(&mut table, (row, name, clients), (port, model, stream), ROUND);
            }
        }
        for clients in [1, 32] {
            for (name, port) in [("direct", paced), ("openmux", gateway.port)] {
                measure(&mut table, ("paced", name, clients), (port, "paced", true), ROUND * 2);
            }
        }
    }
    table.note("resident after the load", gateway.resident(), "<= 25 MB");
    println!("{}", table.text());
    std::process::ExitCode::SUCCESS
}

fn measure(
    table: &mut Table,
    (row, name, clients): (&'static str, &'static str, usize),
    (port, model, stream): (u16, &str, bool),
    time: Duration,
) {
    let path = if name == "openmux" { load::GATEWAY.to_owned() } else { format!("/{model}{}", load::GATEWAY) };
    let seen = Load { port, path, body: load::json(&format!("bench/{model}"), stream), clients, time }.run();
    assert!(seen.wrong == 0, "{} wrong answers of {name}: {}", seen.wrong, seen.example);
    table.add(row, clients, name, seen);
}

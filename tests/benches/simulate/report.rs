//! The tables: every router of a cell, and every cell against its best peer.

use std::fmt::Write as _;

use crate::sim::causes::Cause;
use crate::sim::cells::{Cell, Judged, OURS};
use crate::sim::score::Figures;
use crate::sim::statistics::{Paired, mean};

/// One cell, the lowest loss first.
pub(crate) fn table(cell: &Cell) -> String {
    let mut text = format!(
        "\n{}   ({} seeds of about {:.0} requests; USD for a thousand requests)\n",
        cell.name(),
        cell.bound.len(),
        cell.rows.first().map_or(0.0, |row| mean(row.figures.iter().map(|figures| figures.requests)).value)
    );
    let _ = writeln!(
        text,
        "{:<24}{:>8}{:>7}{:>7}{:>7}{:>9}{:>9}{:>7}{:>8}{:>16}{:>9}{:>8}{:>7}{:>7}{:>8}",
        "router",
        "ok %",
        "p50 s",
        "p95",
        "p99",
        "$/1k ok",
        "wasted",
        "tries",
        "429/1k",
        "loss ± s.e.",
        "regret",
        "caught",
        "shift",
        "back",
        "us"
    );
    let mut rows: Vec<_> = cell.rows.iter().collect();
    rows.sort_by(|a, b| mean(a.losses.clone()).value.total_cmp(&mean(b.losses.clone()).value));
    for row in rows {
        let of = |figure: &dyn Fn(&Figures) -> f64| mean(row.figures.iter().map(figure)).value;
        let loss = mean(row.losses.clone());
        let _ = writeln!(
            text,
            "{:<24}{:>8}{:>7}{:>7}{:>7}{:>9}{:>9}{:>7}{:>8}{:>16}{:>9}{:>8}{:>7}{:>7}{:>8}",
            row.name,
            shown(of(&|figures| figures.ok * 100.0), 2),
            shown(of(&|figures| figures.p50), 2),
            shown(of(&|figures| figures.p95), 2),
            shown(of(&|figures| figures.p99), 2),
            shown(of(&|figures| figures.spent), 3),
            shown(of(&|figures| figures.wasted), 4),
            shown(of(&|figures| figures.attempts), 3),
            shown(of(&|figures| figures.refused), 1),
            format!("{} ± {}", shown(loss.value, 3), shown(loss.error, 3)),
            shown(cell.regret(row), 3),
            shown(of(&|figures| figures.caught), 1),
            shown(of(&|figures| figures.shift), 0),
            shown(of(&|figures| figures.back), 0),
            shown(of(&|figures| figures.micros), 1),
        );
    }
    let _ = writeln!(text, "{:<24}{:>78}", "bound (clairvoyant)", shown(mean(cell.bound.clone()).value, 3));
    text
}

/// Every cell: ours, the best peer, the paired difference with its 95 % interval, and the regrets.
pub(crate) fn summary(cells: &[Cell]) -> String {
    let mut text = format!(
        "\n{:<42}{:>6}{:>10}{:>10}  {:<24}{:>20}{:>8}{:>9}{:>9}{:>7}{:>10}{:>7}  {}\n",
        "cell",
        "seeds",
        "openmux",
        "peer",
        "best peer",
        "difference (95 %)",
        "%",
        "regret",
        "peer's",
        "ratio",
        "told",
        "ratio",
        "openmux is"
    );
    for cell in cells {
        let Some(judged) = cell.judged() else { continue };
        let _ = writeln!(
            text,
            "{:<42}{:>6}{:>10}{:>10}  {:<24}{:>20}{:>8}{:>9}{:>9}{:>7}{:>10}{:>7}  {}",
            cell.name(),
            judged.difference.pairs,
            shown(judged.ours.value, 3),
            shown(judged.theirs.value, 3),
            judged.peer,
            format!("{} ± {}", shown(judged.difference.mean, 3), shown(judged.difference.half, 3)),
            shown(judged.difference.mean / judged.theirs.value * 100.0, 1),
            shown(judged.regret, 3),
            shown(judged.peer_regret, 3),
            shown(judged.ratio(), 2),
            shown(judged.informed, 3),
            shown(judged.over_truth(), 2),
            judged.difference.verdict(),
        );
    }
    text + &totals(cells)
}

/// How many cells say what, and the ratios of the median cell.
fn totals(cells: &[Cell]) -> String {
    let judged: Vec<Judged<'_>> = cells.iter().filter_map(Cell::judged).collect();
    let mut verdicts = std::collections::BTreeMap::new();
    judged.iter().for_each(|judged| *verdicts.entry(judged.difference.verdict()).or_insert(0) += 1);
    let counts: Vec<String> = verdicts.iter().map(|(verdict, many)| format!("{verdict} in {many}")).collect();
    let lowest = judged.iter().filter(|judged| judged.difference.mean < 0.0).count();
    let median = |of: &dyn Fn(&Judged<'_>) -> f64| {
        let mut values: Vec<f64> = judged.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        shown(values.get(values.len() / 2).copied().unwrap_or(f64::NAN), 2)
    };
    format!(
        "openmux's loss against the best peer's, of {} cells: {}; the lowest mean in {lowest}. Regret over the best peer's \
         in the median cell: {} over the bound, where the router that is told the truth has {}; {} over that router.\n",
        judged.len(),
        counts.join(", "),
        median(&|judged| judged.ratio()),
        median(&|judged| judged.reachable()),
        median(&|judged| judged.over_truth())
    )
}

/// The table of every cell, as Markdown.
pub(crate) fn markdown(cells: &[Cell]) -> String {
    let mut text = String::from(
        "| cell | seeds | openmux | best peer | its loss | difference, 95 % | ratio of regrets | told the truth | over the \
         truth | openmux is |\n|---|--:|--:|---|--:|--:|--:|--:|--:|---|\n",
    );
    for cell in cells {
        let Some(judged) = cell.judged() else { continue };
        let pair = |value: f64, error: f64| format!("{} ± {}", shown(value, 3), shown(error, 3));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} ({}) | {} | {} |",
            cell.name(),
            judged.difference.pairs,
            pair(judged.ours.value, judged.ours.error),
            judged.peer,
            pair(judged.theirs.value, judged.theirs.error),
            pair(judged.difference.mean, judged.difference.half),
            shown(judged.ratio(), 2),
            shown(judged.informed, 3),
            shown(judged.reachable(), 2),
            shown(judged.over_truth(), 2),
            judged.difference.verdict(),
        );
    }
    text + "\n" + &totals(cells)
}

/// Where ours and the best peer of every cell lose over the router that is told the truth.
pub(crate) fn causes(cells: &[Cell]) -> String {
    let mut text = format!("\n{:<42}{:<24}", "over the truth, USD for a thousand requests", "");
    for cause in Cause::ALL {
        let _ = write!(text, "{:>10}", cause.name());
    }
    let _ = writeln!(text, "{:>10}", "all");
    for cell in cells {
        let ours = cell.rows.iter().filter(|row| row.name.starts_with(OURS));
        for row in ours.chain(cell.best_peer()) {
            let of = |cause: Cause| mean(row.causes.iter().map(|causes| causes[cause as usize])).value;
            let _ = write!(text, "{:<42}{:<24}", cell.name(), row.name);
            for cause in Cause::ALL {
                let _ = write!(text, "{:>10}", shown(of(cause), 3));
            }
            let _ = writeln!(text, "{:>10}", shown(Cause::ALL.into_iter().map(of).sum(), 3));
        }
    }
    text
}

/// Every variant of ours: its mean regret over all cells, and over ours in percent of the loss, with the interval over
/// cells.
pub(crate) fn variants(cells: &[Cell]) -> String {
    let mut text = String::new();
    let names = cells.first().map_or(Vec::new(), |cell| cell.rows.iter().map(|row| row.name.as_str()).collect());
    for name in names.into_iter().filter(|name| name.starts_with(OURS)) {
        let row = |cell: &Cell, name: &str| cell.rows.iter().find(|row| row.name == name).cloned();
        let regrets = cells.iter().filter_map(|cell| Some(cell.regret(&row(cell, name)?)));
        let percent = cells.iter().filter_map(|cell| {
            let (plain, tuned) = (row(cell, OURS)?, row(cell, name)?);
            Some(Paired::of(&tuned.losses, &plain.losses).mean / mean(plain.losses).value * 100.0)
        });
        let (regret, percent) = (mean(regrets), mean(percent));
        let _ = writeln!(
            text,
            "{name:<40} regret {:>8}   against {OURS}: {:>7} % ± {}",
            shown(regret.value, 3),
            shown(percent.value, 2),
            shown(percent.error, 2)
        );
    }
    text
}

/// A figure, or `-` where there is none.
pub(crate) fn shown(value: f64, decimals: usize) -> String {
    if value.is_finite() { format!("{value:.decimals$}") } else { "-".to_owned() }
}

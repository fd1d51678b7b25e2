//! The plot: for every cell, openmux's loss against the best peer's in percent, with its 95 % interval.

use std::fmt::Write as _;

use crate::sim::cells::{Cell, Judged};

const LEFT: f64 = 300.0;
const WIDTH: f64 = 520.0;
const LINE: f64 = 17.0;
const TOP: f64 = 64.0;

/// A point and a bar a cell; left of the line openmux loses less.
pub(crate) fn forest(cells: &[Cell]) -> String {
    let judged: Vec<(String, Judged<'_>)> =
        cells.iter().filter_map(|cell| Some((cell.name(), cell.judged()?))).collect();
    let percent = |judged: &Judged<'_>| {
        let unit = 100.0 / judged.theirs.value;
        (judged.difference.mean * unit, judged.difference.half * unit)
    };
    let reach = judged.iter().map(|(_, judged)| percent(judged).0.abs() + 4.0).fold(10.0, f64::max).min(60.0);
    let x = |value: f64| LEFT + WIDTH * (0.5 + value.clamp(-reach, reach) / reach / 2.0);
    let bottom = TOP + LINE * judged.len() as f64;
    let (width, height) = (LEFT + WIDTH + 190.0, bottom + 40.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\">openmux's loss against the best peer's, in percent (paired 95 % \
         interval over seeds)</text>\n\
         <text x=\"10\" y=\"42\" fill=\"#555\">loss = dollars + value of waiting + failures; left of the line openmux \
         loses less; the best peer is chosen in hindsight, cell by cell</text>\n"
    );
    let step = if reach > 30.0 { 10.0 } else { 5.0 };
    let ticks = (reach / step) as i32;
    for tick in -ticks..=ticks {
        let value = f64::from(tick) * step;
        let colour = if tick == 0 { "#333" } else { "#ddd" };
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"{colour}\"/>\
             <text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#555\">{value:+.0} %</text>",
            x = x(value),
            y = bottom + 18.0,
        );
    }
    for (at, (name, judged)) in judged.iter().enumerate() {
        let y = TOP + LINE * (at as f64 + 0.5);
        let (mean, half) = percent(judged);
        let colour = match judged.difference.verdict() {
            "lower" => "#1a7f37",
            "higher" => "#c0232c",
            _ => "#888",
        };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{:.1}\" fill=\"#555\">{}</text>",
            LEFT - 10.0,
            y + 4.0,
            x(mean - half),
            x(mean + half),
            x(mean),
            LEFT + WIDTH + 10.0,
            y + 4.0,
            judged.peer,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

//! Man pages, one a subcommand: what clap knows, then the sections that come from the tables behind `openmux help`.
//! Nothing in them depends on the day or the machine.

use std::io::Write;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use openmux::cli::contract::{ENVIRONMENT, Exit, FILES, PROVIDER_ENVIRONMENT};

use crate::support::help::{AfterHelp, all};

/// File name and content of each page.
pub(super) fn pages() -> Vec<(String, String)> {
    let mut root = openmux::cli::command();
    root.build();
    let commands = all(&root);
    let names: Vec<String> = commands.iter().map(|(name, _)| name.replace(' ', "-")).collect();
    commands.iter().zip(&names).map(|((_, command), name)| (format!("{name}.1"), page(command, name, &names))).collect()
}

fn page(command: &Command, name: &str, names: &[String]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.clone()).source(format!("openmux {version}")).manual("openmux manual");
    let after = AfterHelp::of(command);
    let mut text = Text::default();
    text.add(|out| man.render_title(out));
    text.add(|out| man.render_name_section(out));
    text.add(|out| man.render_synopsis_section(out));
    text.add(|out| man.render_description_section(out));
    text.roff(|page| {
        for paragraph in after.prose.iter().filter(|paragraph| !paragraph.starts_with("More:")) {
            page.control("PP", []);
            page.text([roman(paragraph.as_str())]);
        }
    });
    text.add(|out| man.render_options_section(out));
    if command.has_subcommands() {
        text.add(|out| man.render_subcommands_section(out));
    }
    text.roff(|page| {
        match name {
            "openmux" => topics(page, |_| true),
            "openmux-check" => topics(page, |topic| topic == "check"),
            "openmux-config" | "openmux-config-show" => topics(page, |topic| topic == "config"),
            "openmux-chat" => topics(page, |topic| ["output", "messages", "failures"].contains(&topic)),
            _ => {}
        }
        exit_status(page);
        environment(page);
        files(page);
        examples(page, &after.examples);
        see_also(page, name, names);
    });
    text.0
}

/// A page that grows by sections.
#[derive(Default)]
struct Text(String);

impl Text {
    fn add(&mut self, render: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
        let mut bytes = Vec::new();
        render(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        // Every piece begins with the definition of an apostrophe, which a page needs once.
        let preamble = Roff::new().render();
        let text = if self.0.is_empty() { text.as_str() } else { text.strip_prefix(&preamble).unwrap() };
        self.0.push_str(text);
    }

    fn roff(&mut self, fill: impl FnOnce(&mut Roff)) {
        let mut piece = Roff::new();
        fill(&mut piece);
        self.add(|out| piece.to_writer(out));
    }
}

/// The help topics that have no section of their own.
fn topics(page: &mut Roff, wanted: impl Fn(&str) -> bool) {
    for (topic, text) in openmux::cli::topics().into_iter().filter(|(topic, _)| wanted(topic)) {
        let heading = match topic {
            "exit-codes" | "environment" => continue,
            "output" => "OUTPUT FORMATS".to_owned(),
            "config" => "CONFIGURATION".to_owned(),
            topic => topic.to_uppercase(),
        };
        page.control("SH", [heading.as_str()]);
        literal(page, text.lines());
    }
}

fn exit_status(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        term(page, &exit.code().to_string(), &format!("{}: {}", exit.name(), exit.meaning()));
    }
}

fn environment(page: &mut Roff) {
    page.control("SH", ["ENVIRONMENT"]);
    for (names, meaning) in ENVIRONMENT {
        term(page, names, meaning);
    }
    page.control("PP", []);
    page.text([roman(PROVIDER_ENVIRONMENT)]);
}

fn files(page: &mut Roff) {
    page.control("SH", ["FILES"]);
    for (path, meaning) in FILES {
        page.control("TP", []);
        page.text([italic(*path)]);
        page.text([roman(*meaning)]);
    }
}

fn examples(page: &mut Roff, lines: &[String]) {
    if !lines.is_empty() {
        page.control("SH", ["EXAMPLES"]);
        literal(page, lines.iter().map(String::as_str));
    }
}

fn see_also(page: &mut Roff, name: &str, names: &[String]) {
    page.control("SH", ["SEE ALSO"]);
    let others: Vec<&String> = names.iter().filter(|other| *other != name).collect();
    for (at, other) in others.iter().enumerate() {
        let end = if at + 1 < others.len() { "(1)," } else { "(1)" };
        page.text([bold(other.as_str()), roman(end)]);
    }
}

fn term(page: &mut Roff, term: &str, meaning: &str) {
    page.control("TP", []);
    page.text([bold(term)]);
    page.text([roman(meaning)]);
}

fn literal<'a>(page: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    page.control("nf", []);
    for line in lines {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

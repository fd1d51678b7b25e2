//! What a person, a pull request and a program see of it.

use super::super::super::support::command::Home;
use super::super::super::support::server::Server;
use super::{answer, list, moved, page, update, updated};

#[test]
fn an_update_says_what_changed_at_every_width() {
    for (width, name) in [("60", "update at 60"), ("80", "update at 80"), ("200", "update at 200")] {
        let home = Home::new();
        let server = Server::start(vec![answer(&moved())]);
        let output = update(&home, &server, &[]).env("COLUMNS", width).run();
        insta::assert_snapshot!(name, page(&output));
    }
}

#[test]
fn the_status_says_what_is_in_use() {
    insta::assert_snapshot!(page(&Home::new().openmux(["catalog", "status", "--sources"]).run()), @"");
    let (home, _server) = updated();
    home.write("config/catalog.d/mine.toml", "");
    let timeless = |text: String| {
        let at = text.find("TODAYT").map_or(0, |at| at + 6);
        let end = text[at..].find('Z').map_or(at, |end| at + end);
        format!("{}TIME{}", &text[..at], &text[end..])
    };
    insta::assert_snapshot!(timeless(page(&home.openmux(["catalog", "status"]).run())), @"");
    insta::assert_snapshot!(timeless(page(&home.openmux(["catalog", "status", "-o", "json"]).run())), @"");
    insta::assert_snapshot!(page(&home.openmux(["catalog", "path"]).run()), @"");
    insta::assert_snapshot!(page(&home.openmux(["catalog", "path", "-o", "json"]).run()), @"");
    insta::assert_snapshot!(page(&home.openmux(["catalog", "status", "-o", "csv"]).run()), @"");
}

#[test]
fn differences_are_a_list_in_any_format() {
    let (home, _server) = updated();
    let server = Server::start(vec![answer(&list())]);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    let diff = |args: &[&str]| page(&home.openmux(["catalog", "diff"].into_iter().chain(args.iter().copied())).run());
    insta::assert_snapshot!(diff(&["-o", "table"]), @"");
    insta::assert_snapshot!(diff(&["embedded", "previous", "-o", "md"]), @"");
    insta::assert_snapshot!(diff(&["previous", "current", "-o", "json", "--limit", "2"]), @"");
    insta::assert_snapshot!(diff(&["embedded", "embedded", "-o", "table"]), @"");
    home.write("api.json", &moved().to_string());
    insta::assert_snapshot!(diff(&["embedded", "api.json", "-o", "tsv", "--limit", "3"]), @"");
    insta::assert_snapshot!(diff(&["embedded", "nowhere.json"]), @"");
    home.write("bad.json", "{\"data\": []}");
    insta::assert_snapshot!(diff(&["bad.json", "current"]), @"");
}

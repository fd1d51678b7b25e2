//! stdin belongs to `chat`, and is never waited for in silence.

use std::time::Duration;

use openmux::catalog::Protocol;

use super::super::support::command::{Output, Run, Stdin};
use super::stdout::OFFLINE;
use super::{World, answer};

/// The user's message that reached the server.
fn prompt_of(world: &World) -> String {
    let requests = world.servers[0].requests();
    let body = requests.last().expect("a request").json();
    body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned()
}

fn world() -> World {
    World::of(vec![answer(Protocol::OpenaiChat)])
}

/// What a chat with these words and this input sends.
fn sent(words: &[&str], input: &[u8]) -> String {
    let world = world();
    let args = ["chat", "-m", "acme/tiny"].into_iter().chain(words.iter().copied());
    let output = world.openmux(args).stdin(Stdin::Bytes(input.to_vec())).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    prompt_of(&world)
}

/// A chat that must not reach the server.
fn refused(set: impl FnOnce(&World) -> Run) -> Output {
    let world = World::of(Vec::new());
    let output = set(&world).run();
    assert_eq!(world.hits(), [0]);
    output
}

#[test]
fn the_prompt_is_the_words_and_then_what_is_piped_in() {
    assert_eq!(sent(&["Summarise", "this"], b"a\nb\n"), "Summarise this\n\na\nb\n");
    assert_eq!(sent(&[], b"all of it"), "all of it");
    assert_eq!(sent(&["-"], b"all of it"), "all of it");
    assert_eq!(sent(&["Summarise", "-"], b"all of it"), "Summarise\n\nall of it");
    assert_eq!(sent(&["only this", "--no-stdin"], b"not this"), "only this");
    assert_eq!(sent(&["-", "--no-stdin"], b"asked for"), "asked for");
    assert_eq!(sent(&["words"], b""), "words");
    assert_eq!(sent(&["words"], b" \n"), "words");
    assert_eq!(sent(&[], "\u{feff}after the mark".as_bytes()), "after the mark");
    assert_eq!(sent(&[], b"one\r\ntwo\r\n"), "one\r\ntwo\r\n", "ends of lines stay as they are");
}

#[test]
fn a_long_input_arrives_whole() {
    let long = "0123456789abcdef".repeat(1000);
    assert_eq!(sent(&[], long.as_bytes()), long);
}

#[test]
fn closed_empty_and_file_inputs_are_read_as_what_they_are() {
    for (script, expected) in [
        ("exec \"$0\" \"$@\" <&-", "hi"),
        ("exec \"$0\" \"$@\" </dev/null", "hi"),
        ("exec \"$0\" \"$@\" <input.txt", "hi\n\nfrom a file"),
    ] {
        let world = world();
        world.home.write("input.txt", "from a file");
        let run = world.home.shell(script, ["chat", "-m", "acme/tiny", "hi"]).env("ALPHA_KEY", "sk-0123456789");
        let output = run.run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{script}");
        assert_eq!(prompt_of(&world), expected, "{script}");
    }
}

#[test]
fn an_input_that_cannot_be_read_is_an_error() {
    let args = ["chat", "-m", "acme/tiny", "hi"];
    let output = refused(|world| world.home.shell("exec \"$0\" \"$@\" </", args).env("ALPHA_KEY", "sk-0123456789"));
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: cannot read stdin
      reason  Is a directory
      fix:    --no-stdin or </dev/null
    ");
}

#[test]
fn an_input_that_is_not_utf_8_is_placed() {
    let output = refused(|world| world.chat([]).stdin(Stdin::Bytes(b"caf\xc3\xa9 caf\xe9".to_vec())));
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: stdin is not UTF-8 at byte 9
      fix:  convert it, e.g. iconv -t utf-8
    ");
}

#[test]
fn a_silent_pipe_is_an_error_that_names_the_way_out() {
    for args in [&["--stdin-timeout", "300ms"][..], &["--stdin-timeout", "300ms", "-"]] {
        let output = refused(|world| world.chat(args.iter().copied()).stdin(Stdin::OpenPipe));
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.snapshot(), @r"
            exit: 9
            --- stdout

            --- stderr
            error: stdin is an open pipe that gave nothing for TIME
              fix:  --no-stdin or </dev/null
            ");
        }
    }
    let output = refused(|world| world.chat(["--stdin-timeout", "300ms", "-o", "json"]).stdin(Stdin::OpenPipe));
    assert_eq!((output.code, &super::error_line(&output)["code"]), (Some(9), &"timeout.stdin".into()));
}

#[test]
fn a_silent_pipe_does_not_matter_with_no_stdin_or_to_other_commands() {
    let world = world();
    let output = world.chat(["--no-stdin"]).stdin(Stdin::OpenPipe).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    for args in OFFLINE {
        // Anything that waited for stdin would wait for 30 s.
        let run = world.openmux(args.iter().copied()).env("ANTHROPIC_API_KEY", "sk-0123456789");
        let output = run.stdin(Stdin::OpenPipe).timeout(Duration::from_secs(25)).run();
        assert_eq!(output.code, Some(0), "{args:?}: {}", output.snapshot());
    }
}

#[test]
fn explain_weighs_what_chat_would_send() {
    let world = World::of(Vec::new());
    let args = ["route", "explain", "-m", "acme/tiny", "-o", "json", "Summarise"];
    let input = Stdin::Bytes(vec![b'x'; 4000]);
    let document = |output: Output| serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap();
    let long = document(world.openmux(args).stdin(input).run());
    let short = document(world.openmux(args).run());
    let tokens = |document: &serde_json::Value| document["request"]["input_tokens"].as_u64().unwrap();
    assert_eq!(tokens(&long) - tokens(&short), 1000, "4002 characters more: one token for every four");
    assert!(long["request"]["input_estimated"].as_bool().unwrap());
}

#[test]
fn without_a_prompt_nothing_is_sent() {
    for args in [&["chat", "-m", "acme/tiny"][..], &["chat", "-m", "acme/tiny", "-"], &["chat", "-m", "acme/tiny", " "]]
    {
        let output = refused(|world| world.openmux(args.iter().copied()));
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.snapshot(), @r#"
            exit: 2
            --- stdout

            --- stderr
            error: there is no prompt
              fix:  openmux chat -m MODEL "...", or pipe text into it
            "#);
        }
    }
}

//! A client that reads slowly slows the provider down, and the gateway keeps no more than what is on the way.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use openmux::observe::ErrorClass;
use serde_json::json;

use super::super::support::wire;
use super::{World, hello};

/// What a provider would say, where everybody read as fast as it writes: 256 MiB.
const PIECES: usize = 32 * 1024;
const PIECE: usize = 8 * 1024;
/// No more than this lies in the buffers of two connections, and in the gateway.
const MOST: usize = 64 * 1024 * 1024;
/// Whoever takes nothing for so long does not read.
const STALL: Duration = Duration::from_millis(700);

/// What became of a provider that says more than anybody takes.
#[derive(Debug, PartialEq)]
enum Told {
    /// Nothing more is taken; so many bytes were.
    Stalled(usize),
    /// All that was begun is said, in so many pieces.
    Ended(usize),
    /// Nobody is there any more.
    Left,
}

/// A provider that talks until nobody takes more, and then comes to an end as soon as somebody does.
struct Talker {
    base_url: String,
    told: Receiver<Told>,
    thread: JoinHandle<()>,
}

impl Talker {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            asked(&mut socket);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            socket.write_all(head.as_bytes()).unwrap();
            socket.set_write_timeout(Some(STALL)).unwrap();
            let event = wire::openai_text(&"x".repeat(PIECE));
            let (mut written, mut pieces, mut stalled) = (0, 0, false);
            let left = |error: &std::io::Error| !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            while pieces < PIECES && !stalled {
                let mut rest = event.as_bytes();
                while !rest.is_empty() {
                    match socket.write(rest) {
                        Ok(count) => (rest, written) = (&rest[count..], written + count),
                        Err(error) if left(&error) => return tell.send(Told::Left).unwrap(),
                        Err(_) if stalled => {}
                        Err(_) => {
                            stalled = true;
                            tell.send(Told::Stalled(written)).unwrap();
                        }
                    }
                }
                pieces += 1;
            }
            socket.set_write_timeout(None).unwrap();
            let end = wire::openai_events(&[], Some((7, 3))).split_off(1).concat();
            let ended = socket.write_all(end.as_bytes()).and_then(|()| socket.shutdown(Shutdown::Write));
            tell.send(if ended.is_ok() { Told::Ended(pieces) } else { Told::Left }).unwrap();
        });
        Self { base_url, told, thread }
    }
}

/// Reads a request to its end.
fn asked(socket: &mut TcpStream) {
    let mut reader = BufReader::new(socket);
    let mut length = 0;
    for line in reader.by_ref().lines().map(Result::unwrap) {
        if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = count.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
}

/// A client that has asked, and has seen the beginning of the answer.
fn client(world: &World) -> BufReader<TcpStream> {
    let body = hello(json!({ "stream": true })).to_string();
    let mut socket = TcpStream::connect(world.addr).unwrap();
    let head = "POST /v1/chat/completions HTTP/1.0\r\nhost: localhost\r\ncontent-length:";
    write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    while !line.contains("xxxx") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it begins");
    }
    reader
}

/// The most memory that this process has had, in bytes.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "the kernel says it in a file")]
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn a_client_that_reads_slowly_slows_the_provider_down() {
    let talker = Talker::start();
    let world = World::at(vec![(talker.base_url.clone(), "tiny")], "openai-chat", |_| {});
    #[cfg(target_os = "linux")]
    let before = peak();
    let reader = client(&world);
    let Told::Stalled(taken) = talker.told.recv().unwrap() else { panic!("it was never slowed down") };
    assert!(taken < MOST, "{taken} bytes were taken of a provider whose client reads nothing");
    #[cfg(target_os = "linux")]
    assert!(peak() - before < MOST, "{} bytes more", peak() - before);
    // It goes on where it was.
    let mut lines = reader.lines().map(Result::unwrap);
    let said = lines.by_ref().take_while(|line| line != "data: [DONE]").filter(|line| line.contains("xxxx")).count();
    assert_eq!(talker.told.recv().unwrap(), Told::Ended(said + 1), "every piece has come, the first one before");
    talker.thread.join().unwrap();
    let (attempts, _) = world.end();
    assert_eq!(attempts.iter().map(|seen| seen.class).collect::<Vec<_>>(), [ErrorClass::Ok]);
}

#[test]
fn a_client_that_reads_nothing_is_not_waited_for() {
    for by_silence in [true, false] {
        let talker = Talker::start();
        let short = Duration::from_millis(300);
        let world = World::at(vec![(talker.base_url.clone(), "tiny")], "openai-chat", |config| {
            let half = if by_silence { &mut config.reading } else { config.total.get_or_insert_default() };
            *half = short;
        });
        let reader = client(&world);
        // Nobody reads and nobody leaves: the connection ends all the same, and with it the attempt.
        let told: Vec<Told> = talker.told.iter().collect();
        assert_eq!(told.last(), Some(&Told::Left), "{told:?}");
        talker.thread.join().unwrap();
        let (attempts, log) = world.end();
        assert_eq!(attempts.iter().map(|seen| seen.counted_class()).collect::<Vec<_>>(), [ErrorClass::Aborted]);
        assert_eq!((&log[0]["attempts"], &log[0]["provider"]), (&1.into(), &"alpha".into()), "{log:?}");
        drop(reader);
    }
}

#[test]
fn a_client_that_reads_slowly_and_goes_away_ends_the_attempt_which_is_recorded() {
    let talker = Talker::start();
    let world = World::at(vec![(talker.base_url.clone(), "tiny")], "openai-chat", |_| {});
    let reader = client(&world);
    assert!(matches!(talker.told.recv().unwrap(), Told::Stalled(_)));
    drop(reader);
    assert_eq!(talker.told.recv().unwrap(), Told::Left, "nobody is told to the end what nobody hears");
    talker.thread.join().unwrap();
    let (attempts, log) = world.end();
    assert_eq!(attempts.iter().map(|seen| seen.class).collect::<Vec<_>>(), [ErrorClass::Aborted]);
    assert_eq!(log[0]["class"], "aborted", "{log:?}");
}

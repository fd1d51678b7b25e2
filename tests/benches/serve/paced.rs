//! An upstream that streams at a steady pace and says in each piece when the request came and when the piece was sent.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Until the first piece.
const WAIT: Duration = Duration::from_millis(20);
/// Between two pieces.
const GAP: Duration = Duration::from_millis(5);
const PIECES: usize = 40;

/// What the stamps count from.
pub(crate) fn start_of_time() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Starts it on a thread of its own; its port.
pub(crate) fn start() -> u16 {
    start_of_time();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                tokio::task::spawn_local(async move { drop(serve(socket).await) });
            }
        });
    });
    port
}

async fn serve(mut socket: TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        // Requests are small, and the next one comes after the answer to this.
        while !buffer.ends_with(b"}") {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let came = start_of_time().elapsed().as_nanos();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).await?;
        let mut next = tokio::time::Instant::now() + WAIT;
        for _ in 0..PIECES {
            tokio::time::sleep_until(next).await;
            next += GAP;
            let sent = start_of_time().elapsed().as_nanos();
            socket.write_all(&chunk(&piece(&format!("<t{came}:{sent}>")))).await?;
        }
        let mut end = chunk(END);
        end.extend_from_slice(b"0\r\n\r\n");
        socket.write_all(&end).await?;
    }
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// One event with some text.
pub(crate) fn piece(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"static\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// How a stream ends.
pub(crate) const END: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
    \"model\":\"static\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"static\",\
    \"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":66,\"total_tokens\":75}}\n\ndata: [DONE]\n\n";

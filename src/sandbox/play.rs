//! Plays a planned reply on the clock, for as long as the client is there and the sandbox runs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::HEADER;
use super::reply::{End, Part, Reply, Response};
use super::served::Planned;

/// How long before a cut the bytes ahead of it have for leaving the process.
const BEFORE_CUT: Duration = Duration::from_millis(5);

/// What all replies share.
#[derive(Debug)]
pub(super) struct Stage {
    /// The name of the scenario.
    pub(super) header: HeaderValue,
    /// How many replies are under way.
    pub(super) active: AtomicUsize,
    /// Ends when the sandbox does.
    pub(super) stopped: watch::Receiver<()>,
}

/// Ends once the sandbox is gone.
pub(super) async fn until_stopped(mut stopped: watch::Receiver<()>) {
    // Nothing is ever sent; an error says that the sender was dropped.
    while stopped.changed().await.is_ok() {}
}

/// Counts a reply as under way until it is dropped: at its end, or because the client went away.
struct Active {
    stage: Arc<Stage>,
    /// Of a chat: what it counts as.
    planned: Option<Planned>,
}

impl Active {
    fn new(stage: Arc<Stage>, planned: Option<Planned>) -> Self {
        stage.active.fetch_add(1, Ordering::SeqCst);
        Self { stage, planned }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.stage.active.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Plays a reply: the head at its time, then the body. A client that goes away drops this, and with it all work.
pub(super) async fn play(
    stage: Arc<Stage>,
    (reply, planned): (Reply, Option<Planned>),
    arrived: Instant,
) -> HttpResponse {
    let mut active = Active::new(stage, planned);
    let stage = &active.stage;
    let (header, stopped) = (stage.header.clone(), until_stopped(stage.stopped.clone()));
    let Reply::Response(response) = reply else {
        // Silence is all there is of it.
        active.planned.iter_mut().for_each(Planned::begun);
        stopped.await;
        return stopping(header);
    };
    tokio::select! {
        () = sleep_until(arrived + response.head_after) => {}
        () = stopped => return stopping(header),
    }
    let mut http = HttpResponse::new(Body::empty());
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &response.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            http.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    http.headers_mut().insert(HeaderName::from_static(HEADER), header);
    active.planned.iter_mut().for_each(Planned::begun);
    *http.body_mut() = body(active, response, arrived);
    http
}

/// What a client sees that was still waiting for a head when the sandbox was stopped.
fn stopping(header: HeaderValue) -> HttpResponse {
    let mut http = HttpResponse::new(Body::from("the sandbox is stopping\n"));
    *http.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    http.headers_mut().insert(HeaderName::from_static(HEADER), header);
    http
}

fn body(active: Active, response: Response, arrived: Instant) -> Body {
    let Response { parts, end, end_after, .. } = response;
    let state = (active, parts.into_iter(), false);
    Body::from_stream(stream::unfold(state, move |(mut active, mut parts, cut)| async move {
        if cut {
            return None;
        }
        let stopped = until_stopped(active.stage.stopped.clone());
        let next = async {
            match parts.next() {
                Some(Part { after, bytes }) => {
                    sleep_until(arrived + after).await;
                    Some(Ok(bytes))
                }
                None => finish(end, arrived + end_after).await,
            }
        };
        let item = tokio::select! {
            item = next => item?,
            () = stopped => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        };
        if parts.as_slice().is_empty() {
            // A client that has read the last event of an answer may leave before the body's own end.
            active.planned.iter_mut().for_each(Planned::ended);
        }
        let cut = item.is_err();
        Some((item, (active, parts, cut)))
    }))
}

/// Waits for the end of a body; an error makes the server close the socket in the middle of it.
async fn finish(end: End, at: Instant) -> Option<io::Result<Bytes>> {
    match end {
        End::Clean => {
            sleep_until(at).await;
            None
        }
        End::Cut => {
            sleep_until(at).await;
            sleep(BEFORE_CUT).await;
            Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)))
        }
        End::Hang => std::future::pending().await,
    }
}

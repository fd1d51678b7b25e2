//! Takes connections in, hands them to threads, and lets what is under way come to its end when it is told to stop.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use super::count::{Counter, Permit};
use super::outlet::{Due, Outlet, Refused};
use super::reply::Reply;
use super::served::Served;
use super::{Config, Gateway, Worker, routes};
use crate::dispatch::Owned;

/// The most bytes of a request's head, and headers in it.
const HEAD_BYTES: usize = 64 * 1024;
const HEADERS: usize = 100;
/// The most connections at once.
const CONNECTIONS: usize = 4096;
/// What is stopped may take so long to be recorded.
const LAST: Duration = Duration::from_secs(2);

/// A gateway that listens.
#[derive(Debug)]
pub struct Serving {
    /// Where.
    pub addr: SocketAddr,
    listener: TcpListener,
    threads: Vec<Thread>,
    drain: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    gateways: watch::Sender<Arc<Gateway>>,
}

/// Changes what a gateway goes by while it serves.
#[derive(Debug, Clone)]
pub struct Renewal(watch::Sender<Arc<Gateway>>);

impl Renewal {
    /// Requests that begin from now on go by this; those that are under way end as they began.
    pub fn renew(&self, owned: Owned, config: Config) {
        self.0.send_modify(|gateway| *gateway = Arc::new(gateway.again(owned, config)));
    }
}

/// One thread that answers.
#[derive(Debug)]
struct Thread {
    sockets: mpsc::UnboundedSender<(std::net::TcpStream, Permit)>,
    open: Arc<Counter>,
    ended: oneshot::Receiver<()>,
    handle: JoinHandle<()>,
}

/// Starts the threads of a gateway; it answers once [`Serving::run`] is awaited. Needs a tokio runtime.
///
/// # Errors
/// The listener cannot be used, or a thread has no client.
pub fn serve(gateway: Gateway, listener: std::net::TcpListener, threads: usize) -> io::Result<Serving> {
    let (gateways, current) = watch::channel(Arc::new(gateway));
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let addr = listener.local_addr()?;
    let ((drain, draining), (stop, stopping)) = (watch::channel(false), watch::channel(false));
    let start = |number| thread(&current, (&draining, &stopping), number);
    let threads = (0..threads.max(1)).map(start).collect::<io::Result<_>>()?;
    Ok(Serving { addr, listener, threads, drain, stop, gateways })
}

impl Serving {
    /// For whoever changes what it goes by.
    #[must_use]
    pub fn renewal(&self) -> Renewal {
        Renewal(self.gateways.clone())
    }

    /// Answers until `over` is ready, then takes nothing more in and waits until what is under way has ended, for `grace`
    /// at most, or until `hurry` is ready. True where all of it has; else what was left was stopped, and recorded.
    pub async fn run(self, over: impl Future<Output = ()>, hurry: impl Future<Output = ()>, grace: Duration) -> bool {
        let Self { listener, threads, drain, stop, .. } = self;
        {
            let mut over = pin!(over);
            let mut accepting = pin!(accept(&listener, &threads));
            tokio::select! {
                () = &mut over => {}
                () = &mut accepting => {}
            }
        }
        drop(listener);
        drain.send_replace(true);
        let mut ends = Vec::new();
        for Thread { sockets, ended, handle, .. } in threads {
            drop(sockets);
            ends.push((ended, handle));
        }
        let all = async {
            for (ended, handle) in ends {
                let _ = ended.await;
                // It has nothing more to do.
                let _ = handle.join();
            }
        };
        let (mut all, hurry) = (pin!(all), pin!(timeout(grace, hurry)));
        tokio::select! {
            () = &mut all => return true,
            _ = hurry => {}
        }
        stop.send_replace(true);
        // Whoever is not done by then is stuck.
        let _ = timeout(LAST, all).await;
        false
    }
}

/// Hands each connection to the thread that has the fewest.
async fn accept(listener: &TcpListener, threads: &[Thread]) {
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Too many files are open, most likely: those that are served will close some.
                tracing::warn!(%error, "a connection was not taken in");
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let open = |thread: &&Thread| thread.open.taken();
        let total: usize = threads.iter().map(|thread| open(&thread)).sum();
        let Some(thread) = threads.iter().min_by_key(open) else { continue };
        let Some(permit) = thread.open.take(CONNECTIONS.saturating_sub(total - open(&thread))) else { continue };
        if !socket.into_std().is_ok_and(|socket| thread.sockets.send((socket, permit)).is_ok()) {
            tracing::warn!("a connection was lost");
        }
    }
}

/// What the requests of a thread go by that begin now.
struct Desk {
    worker: RefCell<Rc<Worker>>,
    gateways: RefCell<watch::Receiver<Arc<Gateway>>>,
}

impl Desk {
    fn worker(&self) -> Rc<Worker> {
        let mut gateways = self.gateways.borrow_mut();
        if gateways.has_changed().unwrap_or(false) {
            let gateway = Arc::clone(&gateways.borrow_and_update());
            self.worker.replace_with(|old| {
                let (line, orphans, draining) = (Rc::clone(&old.line), old.orphans.clone(), old.draining.clone());
                Rc::new(Worker { gateway, line, orphans, draining })
            });
        }
        Rc::clone(&self.worker.borrow())
    }
}

fn thread(
    gateways: &watch::Receiver<Arc<Gateway>>,
    (draining, stopping): (&watch::Receiver<bool>, &watch::Receiver<bool>),
    number: usize,
) -> io::Result<Thread> {
    let line = gateways.borrow().owned.line().map_err(|error| io::Error::other(error.0))?;
    let (sockets, taken) = mpsc::unbounded_channel();
    let (end, ended) = oneshot::channel();
    let open = Arc::new(Counter::default());
    let (mut gateways, draining, stopping) = (gateways.clone(), draining.clone(), stopping.clone());
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                let (orphans, left) = mpsc::unbounded_channel();
                let gateway = Arc::clone(&gateways.borrow_and_update());
                let worker = RefCell::new(Rc::new(Worker { gateway, line: Rc::new(line), orphans, draining }));
                let desk = Rc::new(Desk { worker, gateways: RefCell::new(gateways) });
                LocalSet::new().block_on(&runtime, work((desk, stopping), taken, left));
            }
            Err(error) => tracing::error!(%error, "a thread has no runtime"),
        }
        let _ = end.send(());
    };
    let handle = std::thread::Builder::new().name(format!("serve-{number}")).spawn(work)?;
    Ok(Thread { sockets, open, ended, handle })
}

/// Answers on every connection that is handed over; ends with the last of them, once no more can come.
async fn work(
    (desk, stopping): (Rc<Desk>, watch::Receiver<bool>),
    mut sockets: mpsc::UnboundedReceiver<(std::net::TcpStream, Permit)>,
    mut orphans: mpsc::UnboundedReceiver<super::run::Orphan>,
) {
    let mut tasks = JoinSet::new();
    let mut more = true;
    while more || !tasks.is_empty() {
        tokio::select! {
            socket = sockets.recv(), if more => match socket {
                Some((socket, permit)) => {
                    let (desk, stopping) = (Rc::clone(&desk), stopping.clone());
                    tasks.spawn_local(async move {
                        connection((desk, stopping), socket).await;
                        drop(permit);
                    });
                }
                None => more = false,
            },
            Some(orphan) = orphans.recv() => {
                tasks.spawn_local(orphan);
            }
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a request broke down");
                }
            }
        }
        // What the last connection left behind is seen to its end, too.
        while let Ok(orphan) = orphans.try_recv() {
            tasks.spawn_local(orphan);
        }
    }
}

/// Answers the requests of one connection.
async fn connection((desk, mut stopping): (Rc<Desk>, watch::Receiver<bool>), socket: std::net::TcpStream) {
    // Without nodelay the first small chunk of a stream waits 40 ms for the peer's delayed acknowledgement.
    let socket = socket.set_nodelay(true).and_then(|()| TcpStream::from_std(socket));
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, "a connection was lost");
            return;
        }
    };
    let (mut draining, arrival, patience) = {
        let worker = desk.worker();
        let config = &worker.gateway.config;
        (worker.draining.clone(), config.arrival, config.reading)
    };
    let (due, refused) = (Due::default(), Refused::default());
    let socket = Outlet::new(socket, patience, Rc::clone(&due), Rc::clone(&refused));
    let of_requests = Rc::clone(&desk);
    let service = service_fn(move |request| {
        let (worker, due) = (of_requests.worker(), Rc::clone(&due));
        async move {
            let answer = routes::answer(worker, request).await;
            due.set(match answer.body() {
                Reply::Stream(answering) => answering.due(),
                Reply::Whole(_) => None,
            });
            Ok::<_, Infallible>(answer)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(arrival).max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    let mut served = pin!(http.serve_connection(TokioIo::new(socket), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        _ = draining.wait_for(|draining| *draining) => {
            served.as_mut().graceful_shutdown();
            tokio::select! {
                ended = served.as_mut() => ended,
                // What is under way goes with it, and is recorded as stopped.
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    };
    if let Err(error) = ended {
        if let Some(problem) = refused.take() {
            Served::new(&desk.worker().gateway, "", "").refused(&problem);
        }
        tracing::debug!(%error, "a connection ended");
    }
}

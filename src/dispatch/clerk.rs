//! What may take long at the store, because others hold its file or another machine is asked: a process that serves many
//! requests has threads for it, so that nobody waits but the request that asked.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Dispatcher;
use crate::store::ObservationStore;

/// Nobody waits longer for an answer, whoever else waits before.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// One thing that is done at the store.
type Job = Box<dyn FnOnce(&dyn ObservationStore) + Send>;

/// Does at the store what may take long, on threads of its own: each does one thing after the other, in the order in which
/// they were asked. What was asked is done before it goes.
#[derive(Debug)]
pub struct Clerk {
    /// Sets money aside, and takes the one trial after a pause: it waits for whoever holds the file.
    file: Lane,
    /// Takes of what several machines have in a minute; `None` where nothing is shared. It does not wait for the file.
    minutes: Option<Lane>,
}

impl Clerk {
    /// Threads beside those that answer.
    ///
    /// # Errors
    /// There are none to be had.
    pub fn new(store: &Arc<dyn ObservationStore>) -> io::Result<Self> {
        let minutes = store.sharing().map(|_| Lane::start("minutes", store)).transpose()?;
        Ok(Self { file: Lane::start("budgets", store)?, minutes })
    }

    /// Takes so much of what all machines together may have in a minute, as [`ObservationStore::take_minute`] does.
    pub async fn take_minute(&self, name: String, most: u64, amount: u64) -> Option<Result<(), Duration>> {
        let minutes = self.minutes.as_ref()?;
        minutes.ask(move |store| store.take_minute(&name, most, amount), |_, _| {}).await.flatten()
    }
}

impl Dispatcher<'_> {
    /// What the store answers to something that may take long; `None` where nobody answers in time. What nobody reads any
    /// more is undone.
    pub(super) async fn at_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn ObservationStore) -> T + Send + 'static,
        undo: fn(&dyn ObservationStore, T),
    ) -> Option<T> {
        match self.clerk {
            Some(clerk) => clerk.file.ask(work, undo).await,
            None => Some(work(self.store)),
        }
    }

    /// Has something done at the store that nobody waits for, after all that was asked before; false where there is no thread
    /// for it.
    pub(super) fn leave_to_store(&self, work: impl FnOnce(&dyn ObservationStore) + Send + 'static) -> bool {
        self.clerk.is_some_and(|clerk| clerk.file.tell(Box::new(work)))
    }
}

/// A thread, and what it is to do.
#[derive(Debug)]
struct Lane {
    /// `None` once nothing more is asked.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    fn start(name: &str, store: &Arc<dyn ObservationStore>) -> io::Result<Self> {
        let (jobs, asked) = mpsc::channel::<Job>();
        let store = Arc::clone(store);
        let work = move || asked.iter().for_each(|job| job(store.as_ref()));
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    fn tell(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn ObservationStore) -> T + Send + 'static,
        undo: fn(&dyn ObservationStore, T),
    ) -> Option<T> {
        let (answer, told) = oneshot::channel();
        let jobs = self.jobs.clone()?;
        self.tell(Box::new(move |store| {
            // Nobody waits for it any more.
            if answer.is_closed() {
                return;
            }
            let _ = answer.send(Answer { value: Some(work(store)), undo, jobs });
        }));
        timeout(PATIENCE, told).await.ok()?.ok()?.read()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer, which is undone where nobody reads it.
struct Answer<T: Send + 'static> {
    value: Option<T>,
    undo: fn(&dyn ObservationStore, T),
    jobs: mpsc::Sender<Job>,
}

impl<T: Send + 'static> Answer<T> {
    fn read(mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T: Send + 'static> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            let undo = self.undo;
            let _ = self.jobs.send(Box::new(move |store| undo(store, value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    use super::*;
    use crate::store::Memory;

    fn alone(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    fn clerk() -> Clerk {
        let store: Arc<dyn ObservationStore> = Arc::new(Memory::new());
        Clerk::new(&store).unwrap()
    }

    #[test]
    fn whoever_waits_for_the_store_keeps_nobody_else_of_its_thread() {
        let clerk = clerk();
        let (go, gone) = mpsc::channel();
        alone(async {
            let mut asked = pin!(clerk.file.ask(move |_| gone.recv().unwrap(), |_, ()| {}));
            // It was asked, and is not answered before this thread has done something else.
            assert!(poll_fn(|context| Poll::Ready(asked.as_mut().poll(context).is_pending())).await);
            go.send(()).unwrap();
            assert_eq!(asked.await, Some(()));
        });
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_done_or_is_undone() {
        let clerk = clerk();
        let ((go, gone), (say, said)) = (mpsc::channel(), mpsc::channel::<&str>());
        let saying = |word: &'static str| {
            let say = say.clone();
            move |_: &dyn ObservationStore| {
                say.send(word).unwrap();
                say
            }
        };
        let undo = |_: &dyn ObservationStore, say: mpsc::Sender<&'static str>| say.send("undone").unwrap();
        let (first, second) = (saying("done"), saying("done, and nobody waits"));
        alone(async {
            let first = clerk.file.ask(
                move |store| {
                    let say = first(store);
                    gone.recv().unwrap();
                    say
                },
                undo,
            );
            let mut asked: Vec<Pin<Box<dyn Future<Output = _>>>> =
                vec![Box::pin(first), Box::pin(clerk.file.ask(second, undo))];
            for asked in &mut asked {
                assert!(poll_fn(|context| Poll::Ready(asked.as_mut().poll(context).is_pending())).await);
            }
            assert_eq!(said.recv(), Ok("done"));
            drop(asked);
            go.send(()).unwrap();
        });
        drop(clerk);
        drop(say);
        assert_eq!(said.iter().collect::<Vec<_>>(), ["undone"]);
    }
}

//! Which path is what.

use std::rc::Rc;

use http::{Request, StatusCode, header};
use hyper::body::Incoming;

use super::problem::Problem;
use super::reply::{Answer, json, refusal, set};
use super::served::Served;
use super::{Worker, chat, guard};

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Chat,
    Health,
    Ready,
}

impl Place {
    /// The place at a path; those of hosted gateways lie below `/api`.
    fn at(path: &str) -> Option<Self> {
        let path = path.strip_prefix("/api").filter(|rest| rest.starts_with("/v1/")).unwrap_or(path);
        match path {
            "/v1/chat/completions" => Some(Self::Chat),
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Ready),
            _ => None,
        }
    }

    /// What it can be asked with.
    const fn methods(self) -> &'static str {
        match self {
            Self::Chat => "POST",
            Self::Health | Self::Ready => "GET, HEAD",
        }
    }
}

/// Answers one request.
pub(super) async fn answer(worker: Rc<Worker>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let mut served = Served::new(&worker.gateway, request.method().as_str(), path);
    let place = match place(&worker, &request) {
        Ok(place) => place,
        Err(problem) => {
            served.status(problem.status);
            let mut response = refusal(&problem);
            if problem.status == StatusCode::METHOD_NOT_ALLOWED
                && let Some(place) = Place::at(path)
            {
                set(&mut response, header::ALLOW, place.methods());
            }
            return response;
        }
    };
    match place {
        Place::Chat => chat::completions(worker, request, served).await,
        Place::Health => told(&worker, served, true),
        Place::Ready => {
            let ready = !*worker.draining.borrow();
            told(&worker, served, ready)
        }
    }
}

/// What is asked for, where it may be.
fn place(worker: &Worker, request: &Request<Incoming>) -> Result<Place, Problem> {
    let path = request.uri().path();
    let place = Place::at(path);
    // Whether it lives may be asked by anybody who can reach it.
    if !matches!(place, Some(Place::Health | Place::Ready)) {
        guard::admit(&worker.gateway.config, request.headers())?;
    }
    let Some(place) = place else {
        let shown: String = path.chars().take(200).collect();
        let message = format!("there is nothing at {} {shown}", request.method());
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", message));
    };
    let known = place.methods().split(", ").any(|method| method == request.method().as_str());
    if !known {
        let message = format!("{path} is asked with {}, not with {}", place.methods(), request.method());
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message));
    }
    Ok(place)
}

fn told(worker: &Worker, mut served: Served, well: bool) -> Answer {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    served.status(status);
    let word = if well { "ok" } else { "draining" };
    json(status, &serde_json::json!({ "status": word, "under_way": worker.gateway.under_way.taken() }))
}

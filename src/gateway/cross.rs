//! Pages in a browser that may ask: what a browser wants to know before it lets one, and before it shows it an answer.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use super::Config;
use super::guard::look;
use super::problem::Problem;
use super::reply::{Answer, Reply};

/// Asks whether a page of a public site may reach this machine, and the answer to that.
const PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// How long a browser may go by an answer, in seconds.
const LIFETIME: HeaderValue = HeaderValue::from_static("600");

/// Whether a browser asks for a page whether that may ask.
pub(super) fn is_question<B>(request: &Request<B>) -> bool {
    let has = |name: HeaderName| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(header::ORIGIN) && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// That it may, with the methods of the place and whatever headers it wishes: a token among them is checked when it comes.
///
/// # Errors
/// It may not.
pub(super) fn answer(config: &Config, asked: &HeaderMap, methods: &'static str) -> Result<Answer, Problem> {
    look(config, asked)?;
    let mut response = Response::new(Reply::Whole(None));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, LIFETIME);
    if let Some(wished) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wished.clone());
    }
    if asked.contains_key(PRIVATE) {
        headers.insert(ALLOW_PRIVATE, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Lets a page read an answer, with all of its headers.
pub(super) fn share(response: &mut Answer, page: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

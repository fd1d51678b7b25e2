//! Fetches a list: within limits, from where it was said and nowhere else, with the mark of the version that is there.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::catalog::is_loopback;
use crate::cli::args::CatalogUpdate;
use crate::cli::chat::runtime;
use crate::cli::contract::Exit;
use crate::cli::error::{CliError, Wrong};
use crate::cli::prompt::fetch::{join, parse, shown};
use crate::cli::render::text::duration;
use crate::cli::settings::{Settings, read_regular};
use crate::observe::ErrorClass;
use crate::upstream::transport::{Incoming, Transport, WireError};

/// Where a catalog is fetched from unless something else is said.
pub(crate) const USUAL: &str = "https://models.dev/api.json";
/// The variable that says where from.
pub(crate) const SOURCE: &str = "OPENMUX_CATALOG_URL";
/// The most bytes of a list, as they come and unpacked.
const MOST: u64 = 64 << 20;
/// The limit for making the connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Where a list comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// An address.
    Url(Uri),
    /// A file.
    File(String),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Got {
    /// It is the one that is there. The day that the source says it is of, if it does.
    Unchanged(Option<Timestamp>),
    /// Another one.
    List {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The source's mark of it.
        etag: Option<String>,
        /// When the source says that it was made.
        made: Option<Timestamp>,
    },
}

impl Source {
    /// What was said: by `--from`, by the variable, in the configuration; else models.dev.
    ///
    /// # Errors
    /// It is no address that may be fetched from.
    pub(super) fn of(settings: &Settings, args: &CatalogUpdate) -> Result<Self, CliError> {
        let variable = settings.keys.vars.plain(SOURCE);
        let configured = settings.config.published().url.as_deref();
        let text = args.from.as_deref().or(variable).or(configured).unwrap_or(USUAL);
        Self::read(text)
    }

    fn read(text: &str) -> Result<Self, CliError> {
        if !text.contains("://") {
            return Ok(Self::File(text.to_owned()));
        }
        let uri = parse(text).map_err(|error| error.fix("--from https://... or --from FILE"))?;
        if uri.scheme_str() == Some("http") && !is_loopback(&uri.to_string()) {
            return Err(CliError::usage(format!("{} can be changed on its way", shown(&uri)))
                .fix("use https://; http:// is for this machine alone"));
        }
        Ok(Self::Url(uri))
    }

    /// Its name, without what could be a secret in an address.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Url(uri) => shown(uri),
            Self::File(path) => path.clone(),
        }
    }

    /// Fetches the list. `etag` is the mark of the one that is there from the same source.
    ///
    /// # Errors
    /// The network is refused, the source cannot be reached, answers with something else, or takes too long.
    pub(super) fn get(
        &self,
        settings: &Settings,
        etag: Option<&str>,
        limit: Option<Duration>,
    ) -> Result<Got, CliError> {
        let uri = match self {
            Self::File(path) => return file(path),
            Self::Url(uri) => uri,
        };
        if settings.offline {
            let message = format!("not fetched: --offline refuses {}", shown(uri));
            return Err(CliError::new(Exit::Refused, "offline", message)
                .fix("fetch it yourself, and openmux catalog update --from FILE"));
        }
        if settings.sandbox.is_some() && !is_loopback(&uri.to_string()) {
            let message = format!("not fetched: with --sandbox nothing leaves this machine, and {} does", shown(uri));
            return Err(CliError::new(Exit::Refused, "sandbox", message).fix("leave out --sandbox"));
        }
        let transport =
            Transport::new(&settings.transport(Some(CONNECT))?).map_err(|error| CliError::no_client(error.0))?;
        let runtime = runtime()?;
        // A mark is of one address; what is not kept of an address could tell two apart.
        let etag = etag.filter(|_| uri.query().is_none());
        let got = runtime.block_on(async {
            match limit {
                Some(limit) => tokio::time::timeout(limit, ask(&transport, uri, etag)).await.map_err(|_| limit),
                None => Ok(ask(&transport, uri, etag).await),
            }
        });
        runtime.shutdown_background();
        got.unwrap_or_else(|limit| {
            let message = format!("{} was not fetched within {}", shown(uri), duration(limit));
            Err(local(Exit::Timeout, uri, message).fix("openmux catalog update --timeout 5m"))
        })
    }
}

/// Whether a catalog may be fetched from there; else why not.
pub(crate) fn allowed_source(text: &str) -> Result<(), String> {
    Source::read(text).map(drop).map_err(|error| error.message)
}

/// An address or a file without what could be a secret in it.
pub(crate) fn shown_source(text: &str) -> String {
    Source::read(text).map_or_else(|_| "(not shown)".to_owned(), |source| source.shown())
}

/// A list that lies in a file; it is of the day on which the file was written.
fn file(path: &str) -> Result<Got, CliError> {
    let too_large = || {
        CliError::usage(format!("{path} is larger than {} MB", MOST >> 20))
            .fix("no list is that large: --from with another file")
    };
    if ["", "-", "/dev/stdin"].contains(&path) {
        return Err(CliError::usage("a catalog comes from an address or a file, not from stdin").fix("--from URL|FILE"));
    }
    let bytes = read_regular(Path::new(path), MOST)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST) {
        return Err(too_large());
    }
    let written = std::fs::metadata(path).and_then(|about| about.modified()).ok();
    let made = written.and_then(|time| Timestamp::try_from(time).ok());
    Ok(Got::List { bytes, etag: None, made })
}

async fn ask(transport: &Transport, uri: &Uri, etag: Option<&str>) -> Result<Got, CliError> {
    let mut request = http::Request::new(Bytes::new());
    *request.uri_mut() = uri.clone();
    let agent = concat!("openmux/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(mark) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        request.headers_mut().insert(header::IF_NONE_MATCH, mark);
    }
    let mut incoming = transport.send(request).await.map_err(|error| unreachable(uri, &error))?;
    let text = |incoming: &Incoming, name: header::HeaderName| {
        incoming.head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let made =
        text(&incoming, header::LAST_MODIFIED).and_then(|date| DateTimeParser::new().parse_timestamp(date.trim()).ok());
    match incoming.head.status {
        StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Got::Unchanged(made)),
        StatusCode::OK => {}
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            let location = text(&incoming, header::LOCATION);
            return Err(moved(uri, status, location.as_deref()));
        }
        status => return Err(refused(uri, status)),
    }
    let kind = text(&incoming, header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if !["json", "text/plain", "octet-stream"].iter().any(|known| kind.contains(known)) && !kind.is_empty() {
        let kind: String = kind.chars().take(60).collect();
        return Err(local(Exit::Unavailable, uri, format!("{} answered with {kind}, not with a list", shown(uri)))
            .fix("a network that wants a log-in answers like this; else give another address: --from URL"));
    }
    let declared = text(&incoming, header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MOST) {
        return Err(too_large(uri));
    }
    let etag = text(&incoming, header::ETAG).filter(|etag| etag.len() <= 200);
    let mut bytes = Vec::new();
    while let Some(chunk) = incoming.chunk().await.map_err(|error| broken(uri, bytes.len(), &error))? {
        bytes.extend_from_slice(&chunk);
        if u64::try_from(bytes.len()).is_ok_and(|count| count > MOST) {
            return Err(too_large(uri));
        }
    }
    Ok(Got::List { bytes, etag, made })
}

/// What is fetched is checked, but not by whom it is sent: another host is only asked when the user says so.
fn moved(uri: &Uri, status: StatusCode, location: Option<&str>) -> CliError {
    let error = local(Exit::Unavailable, uri, format!("{} has moved; redirects are not followed", shown(uri)))
        .fact("status", status.as_u16().to_string());
    let to = location.and_then(|location| parse(&join(uri, location)).ok());
    match to {
        Some(to) => {
            let to = shown(&to);
            // Whoever answers chose these words: they are one argument and no command.
            let quoted = format!("'{}'", to.replace('\'', "%27"));
            error.fact("to", to).fix(format!("if you trust it: openmux catalog update --from {quoted}"))
        }
        None => error.fix("another address: --from URL"),
    }
}

fn refused(uri: &Uri, status: StatusCode) -> CliError {
    let exit = match status.as_u16() {
        401 | 403 => Exit::Auth,
        404 | 410 => Exit::NotFound,
        429 => Exit::Limited,
        _ => Exit::Unavailable,
    };
    let fix = match exit {
        Exit::Unavailable | Exit::Limited => "try again later, or another address: --from URL",
        _ => "another address: --from URL",
    };
    local(exit, uri, format!("{} cannot be fetched", shown(uri)))
        .fact("status", status.as_u16().to_string())
        .with("http_status", status.as_u16())
        .fix(fix)
}

fn too_large(uri: &Uri) -> CliError {
    local(Exit::Unavailable, uri, format!("{} is larger than {} MB", shown(uri), MOST >> 20))
        .fix("no list is that large: another address: --from URL")
}

fn broken(uri: &Uri, read: usize, error: &WireError) -> CliError {
    local(Exit::Unavailable, uri, format!("{} broke off after {read} bytes", shown(uri)))
        .fact("reason", error.message.clone())
        .fix("try again")
}

/// What came is the beginning of a list: a connection that ends says no more where no length was announced.
pub(super) fn cut_off(uri: &Uri, read: usize) -> CliError {
    let message = if read == 0 { "gave nothing".to_owned() } else { format!("broke off after {read} bytes") };
    local(Exit::Unavailable, uri, format!("{} {message}", shown(uri))).fix("try again")
}

fn unreachable(uri: &Uri, error: &WireError) -> CliError {
    local(Exit::Unavailable, uri, format!("{} cannot be reached", shown(uri)))
        .fact("reason", error.message.clone())
        .fix("try again with a network, or openmux catalog update --from FILE")
}

/// A failure between this machine and the list, which is no provider's.
fn local(exit: Exit, uri: &Uri, message: String) -> Wrong {
    let class = ErrorClass::LocalNetwork;
    let owner = class.owner();
    CliError::new(exit, "catalog", message).with("class", class.name()).with("owner", owner).with("url", shown(uri))
}

//! Local providers that speak the real wire protocols, with scripted speed and faults.
//!
//! [`Sandbox::start`] opens one listener on loopback and serves every provider under a path of its own, so that the real
//! client, decoder and failover run against it with no key and no network. A [`Scenario`] says how fast each provider
//! is and what it does wrong. A reply is planned as a plain value first (`reply`, with one `dialect` per protocol) and
//! then played on the clock (`server`): the same seed and the same requests give the same bytes after the same delays.
//!
//! A provider checks who asks as the real one does (`access`): a key in its own header, a signature of AWS's
//! (`sigv4`), a token that its own token endpoint gave (`oauth`). It checks what is asked, too, and refuses what the
//! real one refuses. What can be answered without a model is answered for good: a tool that is offered is called with
//! arguments that its schema allows, a wanted schema is satisfied, a file's kind and size are named.
//!
//! Nothing here decides, routes or classifies: it is the other end of the wire, and shares no code with the near end.

mod access;
mod answer;
mod anthropic;
mod bedrock;
mod check;
mod dialect;
mod eventstream;
mod fault;
mod gemini;
mod oauth;
mod openai;
mod play;
mod reply;
mod responses;
mod scenario;
mod served;
mod server;
mod sigv4;
mod specimen;
mod vertex;
mod wants;

pub use access::Credential;
pub use fault::Fault;
pub use scenario::{Scenario, ScenarioError};
pub use server::{Clock, Place, Running, Sandbox, SandboxProvider};

/// The one key that every local provider with keys accepts. It is no secret.
pub const KEY: &str = "openmux-sandbox";

/// The access key id that requests to a local Bedrock are signed with.
pub const AWS_ACCESS_KEY_ID: &str = "AKIDSANDBOX";

/// The key that belongs to it. It is no secret.
pub const AWS_SECRET_ACCESS_KEY: &str = "openmux-sandbox-secret";

/// The one region of a local Bedrock.
pub const AWS_REGION: &str = "us-east-1";

/// The project and the location of a local Vertex AI; any others are served as well.
pub const GOOGLE_PLACE: (&str, &str) = ("sandbox", "global");

/// What a reply to a chat counts as that came whole, was refused for its key or its body, or whose client left it.
pub use served::{LEFT, REFUSED, WHOLE};

/// The response header that every reply carries; its value is the name of the scenario.
pub const HEADER: &str = "x-openmux-sandbox";

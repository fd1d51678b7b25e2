//! What no hosted gateway has a word for: the object `openmux`, in every dialect.

use serde_json::Value;

use super::{Entry, Reading, Refused, Row, flag, says_nothing, unknown};

/// The object.
pub(super) const OPTIONS: &[Entry] = &[Entry {
    name: "openmux",
    read,
    rows: &[
        Row {
            option: "openmux.resume: true",
            becomes: "--resume, for streams: where the answer breaks off in the middle, a provider that takes its beginning \
                goes on with it; a comment in the stream says where. [serve] resume in config.toml allows it",
            example: r#""openmux":{"resume":true}"#,
        },
        Row {
            option: "openmux.hedge: true",
            becomes: "--hedge: where the first provider is slow, a second is asked beside it, and the other of the two is \
                cancelled once one answers; of 5 % of all requests at most. [serve] hedge in config.toml allows it",
            example: r#""openmux":{"hedge":true}"#,
        },
    ],
}];

/// Its members.
const MEMBERS: [&str; 2] = ["resume", "hedge"];

fn read(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let members = value.as_object().ok_or_else(|| format!("{at}: not an object"))?;
    for (name, value) in members {
        let place = format!("{at}.{name}");
        let slot = match name.as_str() {
            "resume" => &mut reading.said.resume,
            "hedge" => &mut reading.said.hedge,
            _ => return Err(unknown(at, name, &MEMBERS)),
        };
        if !says_nothing(value) {
            slot.put(flag(value, &place)?, &place)?;
        }
    }
    Ok(())
}

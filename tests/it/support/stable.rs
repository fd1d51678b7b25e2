//! Texts without what differs from run to run.

/// A text without what differs from run to run: ports and durations.
pub(crate) fn stable(text: &str) -> String {
    durations(&ports(text))
}

fn ports(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(HOST);
        out.push_str(if rest.len() < part.len() { "PORT" } else { "" });
        out.push_str(rest);
    }
    out
}

fn durations(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        out.push_str(before);
        let after = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
        // A digit inside a word (`v2`, `$3`) begins no duration.
        let is_free = !out.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == '-');
        let unit = after.strip_prefix(' ').unwrap_or(after);
        let tail = ["ms", "µs", "s"].iter().find_map(|name| unit.strip_prefix(name));
        match tail.filter(|tail| is_free && !tail.starts_with(|c: char| c.is_alphanumeric() || c == '_')) {
            Some(tail) => {
                out.push_str("TIME");
                rest = tail;
            }
            None => {
                out.push_str(&number[..number.len() - after.len()]);
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        assert_eq!(ports("at 127.0.0.1:39213/v1, 127.0.0.1: x"), "at 127.0.0.1:PORT/v1, 127.0.0.1: x");
        let text = "1.3 s, 812 ms (0.09s) 12 µs; $3 s v2 s 4 slow 1,204 ms 60 tokens 7";
        assert_eq!(durations(text), "TIME, TIME (TIME) TIME; $3 s v2 s 4 slow TIME 60 tokens 7");
    }
}

//! A provider's words made fit to print: one line, no markup, no control characters, no key.

use crate::catalog::file::checks::is_hidden;

/// How keys begin that a provider may quote back.
const KEY_PREFIXES: [&str; 7] = ["sk-", "xai-", "gsk_", "AIza", "r8_", "nvapi-", "csk-"];
/// Shorter words with such a beginning are no keys.
const KEY_CHARS: usize = 12;

/// One line of at most `limit` characters; a cut is marked with `…`.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let words = text.split(|sign: char| sign.is_whitespace() || sign.is_control());
    let clean: Vec<String> = words
        .map(|word| word.chars().filter(|sign| !is_hidden(*sign)).collect())
        .filter(|word: &String| !word.is_empty())
        .collect();
    let line = clean.iter().map(|word| masked(word)).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        return line;
    }
    let mut cut: String = line.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// The text itself, or of an HTML page its title, else its words.
pub(super) fn folded(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let is_html = lower.starts_with('<') || lower.contains("<html") || lower.contains("</");
    if !is_html {
        return text.to_owned();
    }
    let title = between(&lower, "<title", "</title").map(|(from, to)| &text[from..to]);
    let title = title.and_then(|title| title.split_once('>')).map(|(_, title)| title.trim());
    match title {
        Some(title) if !title.is_empty() => unescaped(title),
        _ => unescaped(&without_tags(text, &lower)),
    }
}

/// The bytes between the end of `open` and the start of `close`.
fn between(text: &str, open: &str, close: &str) -> Option<(usize, usize)> {
    let from = text.find(open)? + open.len();
    Some((from, from + text[from..].find(close)?))
}

fn without_tags(text: &str, lower: &str) -> String {
    let mut words = String::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|offset| at + offset) {
        words.push_str(&text[at..open]);
        words.push(' ');
        let hidden = ["script", "style"].into_iter().find(|tag| lower[open + 1..].starts_with(tag));
        let end = match hidden {
            Some(tag) => lower[open..].find(&format!("</{tag}")).map(|offset| open + offset + 2),
            None => Some(open),
        };
        // An unfinished tag hides the rest.
        let Some(close) = end.and_then(|end| text[end..].find('>').map(|offset| end + offset)) else { return words };
        at = close + 1;
    }
    words.push_str(&text[at..]);
    words
}

fn unescaped(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    named.into_iter().fold(text.to_owned(), |text, (escape, sign)| text.replace(escape, sign))
}

fn masked(word: &str) -> String {
    for prefix in KEY_PREFIXES {
        let Some(at) = word.find(prefix) else { continue };
        let key =
            word[at..].split(|sign: char| !sign.is_ascii_alphanumeric() && !"-_*.".contains(sign)).next().unwrap_or("");
        let key = key.trim_end_matches('.');
        if key.len() > KEY_CHARS && (at == 0 || !word.as_bytes()[at - 1].is_ascii_alphanumeric()) {
            return format!("{}{prefix}***{}", &word[..at], &word[at + key.len()..]);
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_one_printable_line() {
        assert_eq!(one_line("  a\r\n\tb\u{1b}[31mc\u{202e}d ", 300), "a b [31mcd");
        assert_eq!(one_line("äöü äöü", 5), "äöü …");
        assert_eq!(one_line(&"x".repeat(400), 300).chars().count(), 300);
        assert_eq!(one_line("n <= 5 and m > 3", 300), "n <= 5 and m > 3");
    }

    #[test]
    fn a_page_is_folded_to_its_title_or_its_words() {
        let page =
            "<!DOCTYPE html>\n<html><head><title>502 Bad\n Gateway</title></head><body><h1>Oops</h1></body></html>";
        assert_eq!(one_line(&folded(page), 300), "502 Bad Gateway");
        let bare = "<html><style>p { color: red }</style><p>Try&nbsp;again &amp; wait</p><script>a > b</script><br";
        assert_eq!(one_line(&folded(bare), 300), "Try again & wait");
        assert_eq!(folded("plain <|im_end|> text"), "plain <|im_end|> text");
    }

    #[test]
    fn a_quoted_key_is_masked() {
        let said = "Incorrect API key provided: sk-proj-abcdefghijkl. You can find it";
        assert_eq!(one_line(said, 300), "Incorrect API key provided: sk-***. You can find it");
        assert_eq!(one_line("a task-oriented-approach sk-short", 300), "a task-oriented-approach sk-short");
    }
}

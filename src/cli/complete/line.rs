//! A line of bash: its words before the cursor, and how much of the last one readline leaves alone.

/// The line up to the cursor, a place in bytes.
pub(super) fn before(line: &str, point: usize) -> &str {
    let mut end = point.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// The words as the shell would see them, without quotes; the last one is what is being typed, perhaps nothing.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut rest = line.trim_start().chars();
    while let Some(letter) = rest.next() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            ('\\', None | Some('"')) => word.extend(rest.next()),
            (' ' | '\t', None) => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (letter, _) => word.push(letter),
        }
    }
    words.push(word);
    words
}

/// How many bytes of the current word stay as they are: readline replaces what comes after the last of its breaks (`:` and
/// `=` are among them), and an `@` or `$` with it, unless the word is quoted.
pub(super) fn replaced(line: &str, current: &str, breaks: &str) -> usize {
    let is_quoted = line.matches(['"', '\'']).count() % 2 == 1;
    let at = current.char_indices().rfind(|(_, letter)| breaks.contains(*letter)).filter(|_| !is_quoted);
    at.map_or(0, |(at, letter)| if matches!(letter, '@' | '$') { at } else { at + letter.len_utf8() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'@><=;|&(:";

    #[test]
    fn a_line_is_split_as_the_shell_splits_it() {
        assert_eq!(words("openmux  chat -m \"a b\"c d\\ e "), ["openmux", "chat", "-m", "a bc", "d e", ""]);
        assert_eq!(words("openmux chat 'it"), ["openmux", "chat", "it"]);
        assert_eq!(before("aé", 2), "a");
        assert_eq!(before("a", 9), "a");
    }

    #[test]
    fn what_is_behind_a_break_is_replaced() {
        assert_eq!(replaced("x a/b:fr", "a/b:fr", BREAKS), 4);
        assert_eq!(replaced("x --model=a", "--model=a", BREAKS), 8);
        assert_eq!(replaced("x \"a/b:fr", "a/b:fr", BREAKS), 0);
        assert_eq!(replaced("x a/b", "a/b", BREAKS), 0);
        assert_eq!((replaced("x @cf/b", "@cf/b", BREAKS), replaced("x a@1", "a@1", BREAKS)), (0, 1));
    }
}

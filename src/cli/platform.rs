//! What people type into their shell differs between systems; all advice that has such words in it gets them here.

/// Whose shell advice is for: a POSIX one, or PowerShell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    Unix,
    Windows,
}

impl Platform {
    /// The system that this program was built for.
    pub(crate) const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };

    /// Sets a variable for the commands that follow; the value is taken as it is.
    pub(crate) fn set(self, name: &str, value: &str) -> String {
        match self {
            Self::Unix => format!("export {name}={value}"),
            Self::Windows => format!("$env:{name} = \"{value}\""),
        }
    }

    /// Writes a line of text without a `'` into a file.
    pub(crate) fn write(self, line: &str, file: &str) -> String {
        match self {
            Self::Unix => format!("printf '%s\\n' '{line}' > {file}"),
            Self::Windows => format!("Set-Content {file} '{line}'"),
        }
    }

    /// What to do where a command waits for input that does not come.
    pub(crate) const fn no_input(self) -> &'static str {
        match self {
            Self::Unix => "--no-stdin or </dev/null",
            // PowerShell has no `<`.
            Self::Windows => "--no-stdin",
        }
    }

    /// What to give in place of `-` where a path is wanted.
    pub(crate) const fn instead_of_dash(self) -> &'static str {
        match self {
            Self::Unix => "/dev/stdin is standard input, ./- a file of that name",
            Self::Windows => "write standard input into a file first; .\\- is a file of that name",
        }
    }

    /// What to name where a file is wanted that is no pipe.
    pub(crate) const fn plain_file(self) -> &'static str {
        match self {
            Self::Unix => "give a plain file, or <(command)",
            Self::Windows => "give a plain file",
        }
    }

    /// How text that is piped in becomes UTF-8.
    pub(crate) const fn piped_as_utf8(self) -> &'static str {
        match self {
            Self::Unix => "convert it, e.g. iconv -t utf-8",
            Self::Windows => "$OutputEncoding = [Text.Encoding]::UTF8, before the pipe",
        }
    }

    /// How a file becomes UTF-8.
    pub(crate) const fn file_as_utf8(self) -> &'static str {
        match self {
            Self::Unix => "iconv -t UTF-8 makes it so",
            Self::Windows => "Get-Content FILE | Set-Content -Encoding utf8 COPY makes it so",
        }
    }

    /// How a file in UTF-16 becomes UTF-8.
    pub(crate) const fn utf16_as_utf8(self) -> &'static str {
        match self {
            Self::Unix => "iconv -f utf-16 -t utf-8 makes it UTF-8",
            // What the file is in, PowerShell sees by its first bytes.
            Self::Windows => self.file_as_utf8(),
        }
    }
}

/// [`Platform::set`] with a key that is to be filled in, on this system.
pub(crate) fn set_key(name: &str) -> String {
    Platform::HERE.set(name, "...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_of_the_shell_that_is_there() {
        let said = |platform: Platform| {
            [
                platform.set("A_KEY", "..."),
                platform.write("{\"a\": 1}", "a.json"),
                platform.no_input().to_owned(),
                platform.instead_of_dash().to_owned(),
                platform.plain_file().to_owned(),
                platform.piped_as_utf8().to_owned(),
                platform.file_as_utf8().to_owned(),
                platform.utf16_as_utf8().to_owned(),
            ]
            .join("\n")
        };
        insta::assert_snapshot!(said(Platform::Unix), @r#"
        export A_KEY=...
        printf '%s\n' '{"a": 1}' > a.json
        --no-stdin or </dev/null
        /dev/stdin is standard input, ./- a file of that name
        give a plain file, or <(command)
        convert it, e.g. iconv -t utf-8
        iconv -t UTF-8 makes it so
        iconv -f utf-16 -t utf-8 makes it UTF-8
        "#);
        insta::assert_snapshot!(said(Platform::Windows), @r#"
        $env:A_KEY = "..."
        Set-Content a.json '{"a": 1}'
        --no-stdin
        write standard input into a file first; .\- is a file of that name
        give a plain file
        $OutputEncoding = [Text.Encoding]::UTF8, before the pipe
        Get-Content FILE | Set-Content -Encoding utf8 COPY makes it so
        Get-Content FILE | Set-Content -Encoding utf8 COPY makes it so
        "#);
        let windows = said(Platform::Windows);
        assert!(!["export", "/dev/", "iconv", "printf", "<("].iter().any(|word| windows.contains(word)), "{windows}");
    }
}

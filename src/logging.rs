//! The log on standard error: what is said, in which form, and that nobody outside writes lines or colours into it.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, stderr};

use anyhow::{Context as _, Result};
use tracing::Subscriber;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FmtSpan, Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};
use web::LogTail;

use crate::cli::LogFormat;
use crate::plain::{is_order, shown_json};
use crate::settings::LogConfig;

/// The SDK of the Model Context Protocol complains of clients that are wrong or gone, and repeats what they ask. What fails here is
/// logged here.
const QUIET: &str = "rmcp=off";

/// Warnings and worse go to standard error; `-v` and `-vv` say more, `RUST_LOG` overrides, the configuration file says
/// what holds otherwise. The same lines, as text, go to `tail`.
pub(crate) fn start(verbose: u8, config: &LogConfig, tail: &LogTail) -> Result<()> {
    // Everything tells when a span ends, and how long it took.
    let ends = if verbose > 1 { FmtSpan::CLOSE } else { FmtSpan::NONE };
    let lines = tracing_subscriber::fmt::layer().with_span_events(ends.clone());
    let lines = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).with_writer(|| PlainJson(stderr())).boxed(),
        LogFormat::Text => text_lines(ends.clone(), stderr, wants_colours()).boxed(),
    };
    let kept = text_lines(ends, tail.clone(), false).with_filter(filter(verbose, config)?);
    let lines = lines.with_filter(filter(verbose, config)?);
    tracing_subscriber::registry().with(lines).with(kept).with(web::stage_layer()).init();
    Ok(())
}

/// Lines of text, written to `to`.
fn text_lines<S, W>(ends: FmtSpan, to: W, has_colours: bool) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let fields = debug_fn(|to: &mut Writer<'_>, field, value| match field.name() {
        "message" => write_plain(to, value),
        name => {
            write!(to, "{name}=")?;
            write_plain(to, value)
        }
    });
    let lines = tracing_subscriber::fmt::layer().with_span_events(ends).with_writer(to);
    lines.with_ansi(has_colours).with_target(false).fmt_fields(fields.delimited(" "))
}

/// What is said at all.
fn filter(verbose: u8, config: &LogConfig) -> Result<EnvFilter> {
    let level = match (verbose, &config.level) {
        (0, Some(level)) => level.as_str(),
        (0, None) => "warn",
        (1, _) => "info",
        _ => "debug",
    };
    let configured = || {
        let filter = if level.contains("rmcp") { level.to_owned() } else { format!("{level},{QUIET}") };
        EnvFilter::try_new(filter).with_context(|| format!("log.level: {level:?} is not a level or filter"))
    };
    EnvFilter::try_from_default_env().or_else(|_| configured())
}

/// Colours are for eyes: never in a file, nor where somebody asked for none (<https://no-color.org>).
fn wants_colours() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a value in one line: what would end it, move the cursor or turn the writing direction is written in letters.
fn write_plain(to: &mut impl fmt::Write, value: &dyn fmt::Debug) -> fmt::Result {
    write!(Plain(to), "{value:?}")
}

/// Lets through what can do no harm.
struct Plain<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Plain<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|c| if is_order(c) { write!(self.0, "{}", c.escape_unicode()) } else { self.0.write_char(c) })
    }
}

/// Lets JSON through. It escapes by itself what could end a line, but not all that a terminal obeys.
struct PlainJson<W>(W);

impl<W: io::Write> io::Write for PlainJson<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(shown_json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_in_its_line() {
        let shown = |text: &str| {
            let mut line = String::new();
            write_plain(&mut line, &format_args!("{text}")).unwrap();
            line
        };
        assert_eq!(shown("größe 中文 a/b.md"), "größe 中文 a/b.md");
        assert_eq!(shown("a\nERROR b\r\x1b[31m\u{9b}\t"), "a\\u{a}ERROR b\\u{d}\\u{1b}[31m\\u{9b}\\u{9}");
        assert_eq!(shown("a\u{202e}fdp\u{2028}"), "a\\u{202e}fdp\\u{2028}");
    }

    #[test]
    fn json_stays_json_and_commands_no_terminal() {
        let told = serde_json::json!({ "message": "a\nb\x1b[31m\u{9b}31m\u{202e} größe" });
        let mut line = Vec::new();
        io::Write::write_all(&mut PlainJson(&mut line), format!("{told}\n").as_bytes()).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(!line.trim_end_matches('\n').contains(is_order), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), told);
    }
}

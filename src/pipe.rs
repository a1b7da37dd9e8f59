//! A closed pipe: whoever reads only the beginning of what is printed, such as `head`, ends the command, as it ends others.

use std::panic;
use std::process;

/// The exit status of what a closed pipe ends: 128 and the number of SIGPIPE.
const CLOSED: i32 = 141;

/// Has the process end without a word where standard output is closed. `println!` panics then, and the signal that would end it
/// by itself has to stay off: it would end a command whose server closes a connection, too.
pub(crate) fn end_when_closed() {
    let otherwise = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        let said = panicked.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            process::exit(CLOSED);
        }
        otherwise(panicked);
    }));
}

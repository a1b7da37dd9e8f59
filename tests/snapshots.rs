//! Snapshots of the command line: what `--help` says of every command.
//!
//! `INSTA_UPDATE=always cargo test --test e2e -- snapshots` writes them anew; read the difference before it is kept.

use crate::support::Bench;

const COMMANDS: [&[&str]; 20] = [
    &[],
    &["index"],
    &["search"],
    &["serve"],
    &["insights", "export"],
    &["keys"],
    &["config"],
    &["extract"],
    &["status"],
    &["verify"],
    &["remove"],
    &["backup"],
    &["restore"],
    &["compact"],
    &["models"],
    &["eval"],
    &["bench"],
    &["train"],
    &["train", "embed"],
    &["train", "synthesize"],
];

#[test]
fn the_help_of_each_command_is_as_before() {
    let bench = Bench::new();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for command in COMMANDS {
        // The long help names the environment's values: there are none here.
        let help = bench.run(&[command, &["--help"]].concat()).succeeded().stdout();
        let name = std::iter::once("quarry").chain(command.iter().copied()).collect::<Vec<_>>().join("-");
        settings.bind(|| insta::assert_snapshot!(name, help));
    }
}

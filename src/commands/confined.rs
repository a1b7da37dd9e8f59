//! `quarry run-confined`, hidden: becomes another program that may read files and nothing else. See `indexer`'s sandbox.

use indexer::{ProgramLimits, exec_confined};

use crate::cli::RunConfinedArgs;

/// Returns only where that fails.
pub(crate) fn run(args: &RunConfinedArgs) -> anyhow::Error {
    let limits = ProgramLimits { memory: args.memory, seconds: args.seconds };
    let Some((program, arguments)) = args.command.split_first() else {
        return anyhow::anyhow!("expected a program to run");
    };
    let error = exec_confined(program, arguments, limits);
    anyhow::Error::from(error).context(format!("cannot run {}", program.display()))
}

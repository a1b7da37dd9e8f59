//! What can be asked of `quarry users` and `quarry groups`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Clone, Args)]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum UsersCommand {
    /// Add somebody. From the first one on, nobody is let in who has not signed in, or brings a key.
    Add {
        /// As they sign in: letters, digits and . _ - + @
        name: String,
        /// They may do everything, and see every document.
        #[arg(long)]
        admin: bool,
        /// Groups that they are in; several with commas.
        #[arg(long, value_delimiter = ',', value_name = "GROUP")]
        groups: Vec<String>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Change a password. Whoever is signed in with the old one is so no more.
    Passwd {
        /// The user's name.
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Let somebody do everything, or search only. Counts from their next request.
    Set {
        /// The user's name.
        name: String,
        /// Whether they may do everything, and see every document.
        #[arg(long, value_name = "WHETHER")]
        admin: YesOrNo,
    },
    /// Let somebody sign in no more, from their next request on.
    Disable {
        /// The user's name.
        name: String,
    },
    /// Let somebody sign in again.
    Enable {
        /// The user's name.
        name: String,
    },
    /// Remove somebody. Documents that are open to them keep their name.
    Remove {
        /// The user's name.
        name: String,
    },
    /// Show all users with their groups.
    List,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesOrNo {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from standard input, one line, instead of asking for it.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct GroupsArgs {
    #[command(subcommand)]
    pub(crate) command: GroupsCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum GroupsCommand {
    /// Put users into a group. A running server knows it with the next request.
    Add {
        /// The group's name.
        group: String,
        /// Users.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Take users out of a group.
    Remove {
        /// The group's name.
        group: String,
        /// Users; none: everybody.
        names: Vec<String>,
    },
    /// Show all groups with their users.
    List,
}

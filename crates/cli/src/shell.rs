//! `fedcell completions` and `fedcell man`: what a shell and a reader of manuals want to know of this program.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::exit::Failure;
use crate::{command, print};

/// Name of the command for shells.
pub(crate) const COMPLETIONS: &str = "completions";

/// Name of the command for manuals.
pub(crate) const MAN: &str = "man";

const SHELL: &str = "shell";
const OUTPUT: &str = "output";

pub(crate) fn commands() -> [Command; 2] {
    [
        Command::new(COMPLETIONS).about("Print the completions of this program for a shell").arg(
            Arg::new(SHELL)
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("Which shell reads them"),
        ),
        Command::new(MAN).about("Write a page of manual for each command").arg(
            Arg::new(OUTPUT)
                .long(OUTPUT)
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("Folder for the pages, which is there"),
        ),
    ]
}

/// Prints the completions.
///
/// # Errors
///
/// [`Failure`] if standard output cannot be written.
pub(crate) fn completions(arguments: &ArgMatches) -> Result<(), Failure> {
    // clap has asked for one.
    let Some(shell) = arguments.get_one::<Shell>(SHELL).copied() else { return Ok(()) };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command::fedcell(), "fedcell", &mut text);
    print::bytes(&text)
}

/// Writes the pages.
///
/// # Errors
///
/// [`Failure`] if they cannot be written.
pub(crate) fn man(arguments: &ArgMatches) -> Result<(), Failure> {
    let Some(folder) = arguments.get_one::<PathBuf>(OUTPUT) else { return Ok(()) };
    let failed = |error| {
        let context = format!("no pages can be written to {}", folder.display());
        Failure::local(anyhow::Error::new(error)).context(context).advice("name a folder that is there with --output")
    };
    clap_mangen::generate_to(command::fedcell(), folder).map_err(|error: std::io::Error| failed(error))
}

//! The command line as a whole.

use clap::{Arg, ArgAction, Command};

use crate::{cell, demo, doctor, exit, learn, net, provision, role, send};

/// Name of the option that makes the log louder.
pub(crate) const VERBOSE: &str = "verbose";

/// All commands.
pub(crate) fn fedcell() -> Command {
    Command::new("fedcell")
        .about("Cells of an NVIDIA FLARE network")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(exit::CODES)
        .arg(
            Arg::new(VERBOSE)
                .short('v')
                .long("verbose")
                .global(true)
                .action(ArgAction::Count)
                .help("Say more on standard error; twice for everything"),
        )
        .subcommands([
            demo::command(),
            cell::command(),
            send::command(),
            net::command(),
            provision::command(),
            doctor::command(),
            role::server::command(),
            role::relay::command(),
            role::site::command(),
            learn::command(),
        ])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn arguments_fit_together() {
        fedcell().debug_assert();
    }

    /// Every page of help is a committed text; `FEDCELL_BLESS=1` writes it anew.
    #[test]
    fn help() {
        let mut text = String::new();
        write_help(&mut fedcell(), &mut text);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/help.txt");
        if std::env::var_os("FEDCELL_BLESS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&file).unwrap());
    }

    fn write_help(command: &mut Command, text: &mut String) {
        command.build();
        let help = command.render_long_help().to_string();
        let lines: Vec<_> = help.lines().map(str::trim_end).collect();
        *text += &format!("==== {}\n{}\n\n", command.get_bin_name().unwrap_or("fedcell"), lines.join("\n"));
        for command in command.get_subcommands_mut() {
            write_help(command, text);
        }
    }
}

//! The command line as a whole.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::{cell, demo, doctor, exit, learn, net, provision, role, send, shell};

/// Name of the option that makes the log louder.
pub(crate) const VERBOSE: &str = "verbose";

/// With what the variables of the environment begin that stand for options.
pub(crate) const VARIABLES: &str = "FEDCELL_";

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
            with_environment(cell::command()),
            send::command(),
            net::command(),
            provision::command(),
            doctor::command(),
            with_environment(role::server::command()),
            with_environment(role::relay::command()),
            with_environment(role::site::command()),
            learn::command(),
        ])
        .subcommands(shell::commands())
}

/// Lets each option of a service that has a value be a variable of the environment instead: `--kit` is `FEDCELL_KIT`.
fn with_environment(command: Command) -> Command {
    command.mut_args(|argument| {
        let Some(name) = argument.get_long().filter(|_| argument.get_action().takes_values()) else { return argument };
        let variable = format!("{VARIABLES}{}", name.to_uppercase().replace('-', "_"));
        argument.env(variable).hide_env_values(true)
    })
}

/// What is wrong with a command line, in one line; none if help or the version was asked for.
pub(crate) fn in_one_line(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let help = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    if help.contains(&error.kind()) {
        return None;
    }
    let text = error.render().to_string();
    let of_usage = |line: &&str| !line.starts_with("Usage: ") && !line.starts_with("For more information");
    let words = text.lines().take_while(of_usage).map(str::trim).filter(|line| !line.is_empty());
    let words = words.collect::<Vec<_>>().join(" ");
    let problem = words.strip_prefix("error: ").unwrap_or(&words);
    Some(format!("{problem}; see `{} --help`", asked(arguments)))
}

/// The command that the arguments name, as it is typed.
fn asked(arguments: impl Iterator<Item = OsString>) -> String {
    let mut command = fedcell();
    let mut typed = command.get_name().to_owned();
    for argument in arguments.filter(|argument| !argument.as_encoded_bytes().starts_with(b"-")) {
        let Some(below) = command.find_subcommand(&argument).cloned() else { break };
        typed = format!("{typed} {}", below.get_name());
        command = below;
    }
    typed
}

/// What of the log is shown on standard error.
pub(crate) fn log_filter(matches: &ArgMatches) -> Targets {
    let level = match matches.get_count(VERBOSE) {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let filter = Targets::new().with_default(level);
    // These print each reason why there is no connection as an event, or as their failure.
    let reports_itself = [role::site::NAME, role::relay::NAME, doctor::NAME, net::NAME, send::NAME];
    if level == LevelFilter::WARN && matches.subcommand_name().is_some_and(|name| reports_itself.contains(&name)) {
        return filter.with_target("fedcell_cell::connector", LevelFilter::ERROR);
    }
    filter
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

//! What is written for shells and readers of manuals, and options as variables of the environment.

use std::fs;
use std::process::{Command, Stdio};

use crate::scene::{Scene, words};

const COMMANDS: [&str; 12] =
    ["cell", "completions", "demo", "doctor", "learn", "man", "net", "provision", "relay", "send", "server", "site"];

#[test]
fn completions_name_every_command_and_bash_reads_them() {
    let scene = Scene::new(1);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = scene.fedcell(&words(&format!("completions {shell}"), &[]));
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{shell}");
        for command in COMMANDS {
            assert!(ended.out.contains(command), "{shell}: no {command}");
        }
        if shell == "bash" && Command::new("bash").arg("--version").stdout(Stdio::null()).status().is_ok() {
            let file = scene.path("completions");
            fs::write(&file, ended.out).expect("a write");
            assert!(Command::new("bash").arg("-n").arg(&file).status().expect("bash runs").success());
        }
    }
}

#[test]
fn every_command_has_a_page_of_manual() {
    let scene = Scene::new(1);
    let ended = scene.fedcell(&words("man --output _", &[&scene.path("work")]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for command in COMMANDS {
        let page = fs::read_to_string(scene.path(&format!("work/fedcell-{command}.1"))).expect(command);
        assert!(page.contains(".TH") && page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
}

#[test]
fn an_option_of_a_service_can_be_a_variable_and_the_command_line_comes_first() {
    let scene = Scene::new(1);
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fedcell"));
        command.env("FEDCELL_KIT", scene.kit("p", "relay-1"));
        command
    };
    // The kit of a relay is seen: it is the wrong one for a site.
    let typed = words("site --workspace _", &[&scene.path("work/site")]);
    let ended = scene.run(program().args(&typed));
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("is a kit of a relay, this command needs one of a site"), "{}", ended.err);
    let typed = words("site --workspace _ --wait 0.5 --kit _", &[&scene.path("work/site"), &scene.kit("p", "site-1")]);
    let ended = scene.run(program().args(&typed));
    assert_eq!(ended.code, Some(4), "the kit of the command line is looked at\n{}", ended.err);
    assert!(ended.err.contains("site-1 has no connection"), "{}", ended.err);
    // A command that is no service sees none of it.
    let ended = scene.run(program().args(words("doctor --offline", &[])));
    assert_eq!(ended.code, Some(2), "{}", ended.err);
}

//! The command line as it is typed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use clap::{CommandFactory as _, Parser as _};

use super::args::{AccountCommand, AgentCommand, Cli, Command};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("sabir").chain(line.split(' ')))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn command_lines_are_understood() {
    for line in [
        "account show",
        "account create https://a.example/invite/x --name alice",
        "account create https://a.example/invite/x --name alice --device-name phone --trust-anchor ca.pem",
        "--profile /p chat bob@b.example",
        "chat --profile /p bob@b.example --json",
        "chat bob@b.example --history 0 --wait 5",
        "send bob@b.example hi",
        "send bob@b.example -",
        "send bob@b.example -5",
        "send --queue bob@b.example hi",
        "send bob@b.example hi --wait 0",
        "send mimi://b.example/r/x hi --json",
        "rooms --json",
        "room create Hikers bob@b.example carol@c.example",
        "room create Alone",
        "room add Hikers bob@b.example --role read-only --queue",
        "room remove mimi://a.example/r/x bob@b.example carol@c.example",
        "room ban Hikers bob@b.example",
        "room unban Hikers bob@b.example --role admin",
        "room role Hikers bob@b.example admin --wait 5",
        "room rename Hikers Walkers",
        "room create News --template announcement bob@b.example",
        "room policy Hikers",
        "room policy Hikers --receipts forbidden --max-people 3 --several-devices no",
        "room policy Hikers --component asset_policy --remove",
        "room template",
        "room link Hikers --uses 1 --lasts 12h --role read-only",
        "room link Hikers --list --json",
        "room link Hikers --withdraw 0123abcd --withdraw 4567abcd",
        "room join mimi://a.example/r/x#AAAA --queue",
        "device rename phone desk",
        "room leave Hikers",
        "room resume bob@b.example",
        "room show Hikers --json",
        "log bob@b.example --limit 0",
        "watch --after 7",
        "agent",
        "agent --idle-exit 5",
        "agent run",
        "agent run --idle-exit 5",
        "agent status --json",
        "agent stop",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    for line in [
        "fly",
        "account",
        "account create",
        "room link Hikers --lasts 0h",
        "room link Hikers --lasts 12",
        "room link Hikers --list --uses 2",
        "room join",
        "chat",
        "chat a@b c@d",
        "chat a@b --history 501",
        "send",
        "send bob@b.example",
        "send bob@b.example hi there",
        "send bob@b.example hi --wait -1",
        "send bob@b.example hi --queue --wait 1",
        "room",
        "room create",
        "room add Hikers",
        "room role Hikers bob@b.example",
        "room leave",
        "room resume",
        "log",
        "log a@b --limit x",
        "watch --after",
        "watch --after -1",
        "agent fly",
        "agent --idle-exit 5 stop",
        "--proflie /p rooms",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn arguments_arrive_where_they_belong() {
    let cli = parse("--profile /p send bob@b.example -5 --json").unwrap();
    assert_eq!((cli.profile.unwrap().to_str(), cli.json), (Some("/p"), true));
    let Command::Send(args) = cli.command else {
        panic!("send")
    };
    assert_eq!(
        (args.to.as_str(), args.text.as_deref(), args.queue, args.wait),
        ("bob@b.example", Some("-5"), false, 60)
    );

    let cli = parse("account create https://a.example/invite/x --name alice").unwrap();
    let Command::Account(AccountCommand::Create(args)) = cli.command else {
        panic!("create")
    };
    assert_eq!(
        (
            args.name.as_deref().unwrap_or_default(),
            args.device_name.as_str()
        ),
        ("alice", "sabir")
    );

    let Command::Agent(args) = parse("agent --idle-exit 5").unwrap().command else {
        panic!("agent")
    };
    assert_eq!((args.command.is_none(), args.run.idle_exit), (true, Some(5)));
    let Command::Agent(args) = parse("agent run --idle-exit 6").unwrap().command else {
        panic!("agent")
    };
    assert!(matches!(args.command, Some(AgentCommand::Run(run)) if run.idle_exit == Some(6)));
}

#[test]
fn help_teaches() {
    let help = Cli::command().render_long_help().to_string();
    for part in [
        "Talk to people at other providers, end-to-end encrypted",
        "account   Make an account, or show it",
        "chat      Talk to somebody: type lines, see replies as they arrive",
        "send      Send one message",
        "rooms     List conversations",
        "log       Print the messages of a conversation, oldest first",
        "watch     Print what happens, as it happens",
        "agent     Run, look at or stop the process that owns the profile",
        "--profile <DIR>",
        "--json",
        "  sabir chat bob@b.example",
        "Exit codes:\n  0  done\n  1  failed\n  2  the command line was not understood\n  3  the provider or the agent cannot be reached",
    ] {
        assert!(help.contains(part), "no {part:?} in\n{help}");
    }
    assert!(!help.contains("--detached"));
}

#[test]
fn every_command_with_something_to_say_has_examples() {
    let mut cli = Cli::command();
    cli.build();
    for name in [
        "chat", "send", "reply", "react", "edit", "delete", "read", "settings", "log", "watch", "agent",
    ] {
        let help = cli.find_subcommand_mut(name).unwrap().render_help().to_string();
        assert!(help.contains("Examples:\n  sabir "), "{name}: {help}");
    }
    let account = cli.find_subcommand_mut("account").unwrap();
    let help = account
        .find_subcommand_mut("create")
        .unwrap()
        .render_help()
        .to_string();
    assert!(help.contains("sabir account create https://"), "{help}");
}

#[test]
fn every_example_is_understood() {
    let mut cli = Cli::command();
    cli.build();
    let mut pages = vec![cli.render_long_help().to_string()];
    pages.extend(cli.get_subcommands_mut().flat_map(|command| {
        let mut pages = vec![command.render_help().to_string()];
        pages.extend(
            command
                .get_subcommands_mut()
                .map(|command| command.render_help().to_string()),
        );
        pages
    }));
    pages.push(include_str!("../../../../docs/commands.md").to_owned());
    let mut examples = 0;
    for line in pages.iter().flat_map(|page| page.lines()) {
        let line = line.trim_start().trim_start_matches("$ ");
        if !line.starts_with("sabir ") || line.contains("help ") || line.contains('[') {
            continue;
        }
        // Cut at what the shell, or a reader, takes for itself; a quoted text becomes one word.
        let line = line.split([';', '|', '<', '>']).next().unwrap();
        let line = line.split("  ").next().unwrap().trim();
        let mut words: Vec<String> = Vec::new();
        for (at, part) in line.split('\'').enumerate() {
            if at % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        let parsed = Cli::try_parse_from(&words);
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        examples += 1;
    }
    assert!(examples > 20, "{examples}");
}

#[test]
fn the_documentation_has_every_command_and_option() {
    let page = include_str!("../../../../docs/commands.md");
    let mut cli = Cli::command();
    cli.build();
    let mut commands = vec![&cli];
    while let Some(command) = commands.pop() {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            if let Some(long) = argument.get_long() {
                assert!(
                    page.contains(&format!("--{long}")),
                    "docs/commands.md lacks --{long}"
                );
            }
        }
        for inner in command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
        {
            assert!(
                page.contains(inner.get_name()),
                "docs/commands.md lacks {}",
                inner.get_name()
            );
            commands.push(inner);
        }
    }
}

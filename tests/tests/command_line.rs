//! The command line, as a person meets it: what it prints, and what it makes.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use expect_test::expect_file;
use rdkafka::producer::{BaseProducer, BaseRecord};
use weir_tests::child::Child;
use weir_tests::{Client, Weir, paths, ports, wait};

/// The subcommands, as `weir help` lists them.
const COMMANDS: [&str; 8] = [
    "new", "build", "describe", "dev", "run", "broker", "demo", "bench",
];

/// What a command that succeeds prints.
#[track_caller]
fn said(arguments: &[&str]) -> String {
    // As wide as help ever is, whatever the terminal of this test.
    let mut weir = Weir::new("weir").args(arguments).env("COLUMNS", "100");
    weir.start_again();
    let (status, said) = weir.wait_until_ended();
    assert!(status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn help_names_every_command() {
    let help = said(&["--help"]);
    let listed = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let names = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    assert!(names.eq(COMMANDS.into_iter().chain(["help"])), "{help}");
}

#[test]
fn help_explains_every_option_of_every_command() {
    let mut all = said(&["--help"]);
    for command in COMMANDS {
        let help = said(&[command, "--help"]);
        unexplained(command, &help);
        all.push_str(&format!("\n\n$ weir {command} --help\n{help}"));
    }
    expect_file!["golden/help.txt"].assert_eq(&all);
}

/// Panics if an option has no words of its own. clap puts them beside the option, after two blanks.
#[track_caller]
fn unexplained(command: &str, help: &str) {
    let options = help.split("Options:").nth(1).unwrap();
    for line in options
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
    {
        let words = line
            .trim_start()
            .split_once("  ")
            .map_or("", |(_, words)| words.trim());
        let explained = !words.is_empty() && !words.starts_with('[');
        assert!(
            explained,
            "`weir {command}` does not explain `{}`",
            line.trim()
        );
    }
}

#[test]
fn describe_shows_what_a_service_declares() {
    let file = paths::component("inventory");
    let text = said(&["describe", file.to_str().unwrap()]);
    // The digest is of the file, which another compiler makes otherwise.
    let is_digest = |line: &str| {
        line.strip_prefix("digest   sha256:")
            .is_some_and(|digest| digest.len() == 64)
    };
    assert_eq!(
        text.lines().filter(|line| is_digest(line)).count(),
        1,
        "{text}"
    );
    let rest = text.lines().filter(|line| !is_digest(line));
    let rest: String = rest.flat_map(|line| [line, "\n"]).collect();
    expect_file!["golden/inventory.txt"].assert_eq(&rest);
}

#[test]
fn new_makes_a_crate_that_carries_its_sdk() {
    let mut weir = Weir::new("weir").args(["new", "hello-world"]);
    weir.start_again();
    let (status, said) = weir.wait_until_ended();
    assert!(
        status.success() && said.contains("cd hello-world && cargo test"),
        "{said}"
    );
    let folder = weir.folder().join("hello-world");
    let manifest = read(&folder.join("Cargo.toml"));
    assert!(manifest.contains("name = \"hello-world\""), "{manifest}");
    assert!(
        manifest.contains("weir-sdk") && manifest.contains(".weir/sdk/guest-sdk"),
        "{manifest}"
    );
    let source = read(&folder.join("src/lib.rs"));
    assert!(
        source.contains("#[weir::service]\npub fn hello_world("),
        "{source}"
    );
    assert!(read(&folder.join("tests/story.rs")).contains("#[test]"));
    for file in [
        "guest-sdk/src/lib.rs",
        "guest-sdk/macros/src/lib.rs",
        "host/core/src/lib.rs",
    ] {
        assert!(
            folder.join(".weir/sdk").join(file).is_file(),
            "{file} is missing"
        );
    }
    let wit = std::fs::read_dir(folder.join(".weir/sdk/wit")).unwrap();
    assert!(wit.count() > 0);

    weir.start_again();
    let (status, said) = weir.wait_until_ended();
    assert!(!status.success(), "{said}");
    assert!(
        said.contains("`hello-world` is there already; choose another name"),
        "{said}"
    );
}

#[test]
fn a_name_that_no_crate_can_have_is_refused() {
    let (status, said) = Weir::run(&["new", "Hello World"]);
    assert!(!status.success(), "{said}");
    assert!(
        said.contains("use lower-case letters, digits and '-', a letter first"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_done_says_what_would() {
    for (arguments, expected) in [
        (
            &["run"][..],
            "nothing to run: give --components DIR, or services in --config FILE",
        ),
        (
            &["run", "--config", "no.toml"],
            "cannot read the configuration no.toml: No such file",
        ),
        (
            &["run", "--components", "no"],
            "the components folder no: No such file",
        ),
        (
            &["build", "no"],
            "no has no Cargo.toml; give the folder of a service crate",
        ),
        (&["describe", "no.wasm"], "no.wasm: No such file"),
        (
            &["demo", "--components", "."],
            "`cargo xtask demo` builds the components",
        ),
        (&["run", "--broker", "here:1"], "'--brokers'"),
    ] {
        let (status, said) = Weir::run(arguments);
        assert!(!status.success(), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        let twice = said.matches("No such file").count();
        assert!(twice <= 1, "{arguments:?} says it {twice} times: {said}");
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Once it stood there and refused every request, and nobody knew why.
#[test]
fn a_broker_whose_disk_is_full_says_so_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let [address] = ports::free();
    let (address, data) = (address.to_string(), folder.path().join("data"));
    // No file may grow beyond 4 MiB: a write fails as on a full disk.
    let script = r#"trap "" XFSZ; ulimit -f 8192; exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(paths::weir());
    command.args(["broker", "--listen", &address, "--data"]);
    let mut broker = Child::spawn("broker", command.arg(data), folder.path()).unwrap();
    let client = Client::new(&address);
    wait::until("it answers", || {
        client.answers(Duration::from_secs(1)).then_some(())
    });
    client.create_topic("t", 1, &[]);
    let producer: BaseProducer = client.config().create().unwrap();
    let row = vec![7; 100_000];
    let status = wait::until("the broker ends", || {
        let _full = producer.send(BaseRecord::<(), _>::to("t").payload(&row));
        producer.poll(Duration::from_millis(1));
        broker.ended()
    });
    let said = broker.log();
    assert_eq!(status.code(), Some(1), "{status}: {said}");
    let reason = "weir: the broker has stopped: the data in ";
    assert!(
        said.contains(reason) && said.contains("File too large"),
        "{said}"
    );
}

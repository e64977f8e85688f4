//! Files that meet on their way: the same one sent or saved several times at once, and places that take none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tests::{World, sees};
use super::*;
use crate::files::{SaveFile, SendFile, TransferState};
use crate::testing::FakeProvider;

const PATIENCE: Duration = Duration::from_secs(20);
const NAME: &str = "heron.bin";

struct Scene {
    folder: tempfile::TempDir,
    alice: Client,
    bob: Client,
    said: Vec<String>,
    _provider: FakeProvider,
    _world: World,
}

/// More than is read, encrypted or written at a time.
fn bytes(of: u8) -> Vec<u8> {
    (0..700_000_u32).map(|n| (n * 7 % 251) as u8 ^ of).collect()
}

fn sending(path: &Path, text: &str, key: Option<&str>) -> SendFile {
    SendFile {
        path: path.to_owned(),
        text: Some(text.to_owned()),
        keep_metadata: false,
        key: key.map(str::to_owned),
    }
}

fn saving(message: &Message, path: &Path, overwrite: bool) -> SaveFile {
    SaveFile {
        message: message.id.to_string(),
        number: 1,
        path: path.to_owned(),
        overwrite,
    }
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

async fn over(client: &Client, transfer: u64) -> Transfer {
    let over = client.transfer(transfer, PATIENCE).await.unwrap();
    assert!(over.state.is_over(), "{over:?}");
    over
}

async fn done(client: &Client, transfer: u64) {
    let over = over(client, transfer).await;
    assert_eq!(over.state, TransferState::Done, "{over:?}");
}

impl Scene {
    async fn new() -> Self {
        let world = World::new();
        let provider = world.provider("a.example").await;
        let alice = world.person("alice", &provider).await;
        let bob = world.person("bob", &provider).await;
        Self {
            folder: tempfile::tempdir().unwrap(),
            alice,
            bob,
            said: Vec::new(),
            _provider: provider,
            _world: world,
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// A file of Alice's, of the name that all of hers have.
    fn file(&self, of: u8) -> PathBuf {
        let path = self.folder(&format!("alice {of}")).join(NAME);
        fs::write(&path, bytes(of)).unwrap();
        path
    }

    /// Alice sends a file with these words; Bob's message.
    async fn sent(&mut self, of: u8, text: &str) -> Message {
        let file = sending(&self.file(of), text, None);
        let transfer = self.alice.send_file("bob@a.example", file).await.unwrap();
        done(&self.alice, transfer.transfer).await;
        self.said.push(text.to_owned());
        let seen = sees(&self.bob, "alice@a.example", &self.said).await;
        seen.into_iter().next_back().unwrap()
    }

    /// Bob asks for all of these at once; how each ended, each transfer once.
    async fn saved(&self, files: Vec<SaveFile>) -> Vec<Transfer> {
        let mut asking = tokio::task::JoinSet::new();
        for file in files {
            let bob = self.bob.clone();
            asking.spawn(async move { bob.save_file(file).await.unwrap().transfer });
        }
        let numbers: BTreeSet<u64> = asking.join_all().await.into_iter().collect();
        let mut ended = Vec::new();
        for number in numbers {
            ended.push(over(&self.bob, number).await);
        }
        ended
    }
}

#[tokio::test]
async fn a_file_that_is_sent_several_times_at_once_goes_out_once() {
    let mut scene = Scene::new().await;
    for (of, key) in [(1, None), (2, Some("the same"))] {
        let path = scene.file(of);
        let text = format!("number {of}");
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (alice, file) = (scene.alice.clone(), sending(&path, &text, key));
            asking.spawn(async move { alice.send_file("bob@a.example", file).await.unwrap().transfer });
        }
        let numbers: BTreeSet<u64> = asking.join_all().await.into_iter().collect();
        assert_eq!(numbers.len(), 1, "one transfer, {key:?}");
        for number in numbers {
            done(&scene.alice, number).await;
        }
        // What is said afterwards comes right behind it.
        let after = format!("after {of}");
        scene.alice.send_text("bob@a.example", &after).await.unwrap();
        scene.said.extend([text, after]);
        let seen = sees(&scene.bob, "alice@a.example", &scene.said).await;
        let inbox = scene.folder(&format!("bob {of}"));
        let saved = scene
            .saved(vec![saving(&seen[seen.len() - 2], &inbox, false)])
            .await;
        assert_eq!(saved[0].state, TransferState::Done, "{saved:?}");
        assert_eq!(fs::read(inbox.join(NAME)).unwrap(), bytes(of));
    }
}

#[tokio::test]
async fn files_of_one_name_that_are_saved_at_once_are_each_whole_or_refused() {
    let mut scene = Scene::new().await;
    let messages = [scene.sent(1, "one").await, scene.sent(2, "two").await];
    let all = |inbox: &Path, overwrite| -> Vec<SaveFile> {
        let twice = messages.iter().chain(&messages);
        twice.map(|message| saving(message, inbox, overwrite)).collect()
    };

    // The same file to the same place is one transfer, and of the two files one is there first.
    let inbox = scene.folder("first comes");
    let ended = scene.saved(all(&inbox, false)).await;
    assert_eq!(ended.len(), 2, "{ended:?}");
    let [first] = ended
        .iter()
        .filter(|over| over.state == TransferState::Done)
        .collect::<Vec<_>>()[..]
    else {
        panic!("one gets the place: {ended:?}")
    };
    let other = ended.iter().find(|over| over.transfer != first.transfer).unwrap();
    assert_eq!(other.state, TransferState::Failed);
    let problem = other.problem.as_ref().unwrap();
    assert!(problem.contains("a file of this name already"), "{problem}");
    let there = fs::read(inbox.join(NAME)).unwrap();
    assert!(there == bytes(1) || there == bytes(2), "neither of the two");
    assert_eq!(names(&inbox), [NAME]);

    // Where each may replace the other, the last one is there, whole.
    let inbox = scene.folder("last stays");
    let ended = scene.saved(all(&inbox, true)).await;
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(
        ended.iter().all(|over| over.state == TransferState::Done),
        "{ended:?}"
    );
    let there = fs::read(inbox.join(NAME)).unwrap();
    assert!(there == bytes(1) || there == bytes(2), "neither of the two");
    assert_eq!(names(&inbox), [NAME]);

    // Different places are in nobody's way.
    let inboxes = [scene.folder("here"), scene.folder("there")];
    let files = messages.iter().zip(&inboxes);
    let ended = scene
        .saved(
            files
                .map(|(message, inbox)| saving(message, inbox, false))
                .collect(),
        )
        .await;
    assert!(
        ended.iter().all(|over| over.state == TransferState::Done),
        "{ended:?}"
    );
    for (inbox, of) in inboxes.iter().zip([1, 2]) {
        assert_eq!(fs::read(inbox.join(NAME)).unwrap(), bytes(of));
        assert_eq!(names(inbox), [NAME]);
    }
}

/// Bob cannot save; what he sees is one sentence with these words.
async fn fails(scene: &Scene, file: SaveFile, words: &str) {
    let ended = scene.saved(vec![file]).await;
    assert_eq!(ended[0].state, TransferState::Failed, "{ended:?}");
    let problem = ended[0].problem.as_ref().unwrap();
    assert!(problem.contains(words), "{problem}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_told_and_left_as_it_was() {
    let mut scene = Scene::new().await;
    let message = scene.sent(1, "one").await;

    // What should be a folder is a file, is not there, or may not be written.
    let inbox = scene.folder("inbox");
    let below = inbox.join("file");
    fs::write(&below, "mine").unwrap();
    fails(
        &scene,
        saving(&message, &below.join("it"), false),
        "cannot be written there",
    )
    .await;
    assert_eq!(fs::read(&below).unwrap(), b"mine");
    fs::remove_file(&below).unwrap();
    fails(
        &scene,
        saving(&message, &below.join("it"), false),
        "cannot be written there",
    )
    .await;
    assert_eq!(names(&inbox), [""; 0]);
    let mut closed = fs::metadata(&inbox).unwrap().permissions();
    let open = closed.clone();
    closed.set_readonly(true);
    fs::set_permissions(&inbox, closed).unwrap();
    // Whoever may do everything is not kept out by this.
    if fs::write(&below, "").is_err() {
        fails(&scene, saving(&message, &inbox, false), "cannot be written there").await;
    }
    fs::set_permissions(&inbox, open).unwrap();
    let _ = fs::remove_file(&below);
    assert_eq!(names(&inbox), [""; 0]);

    // A folder has the name of the file.
    let taken = inbox.join(NAME);
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("within"), "mine").unwrap();
    fails(
        &scene,
        saving(&message, &inbox, true),
        "cannot be put into its place",
    )
    .await;
    assert_eq!(fs::read(taken.join("within")).unwrap(), b"mine");
    assert_eq!(names(&inbox), [NAME]);
    fs::remove_dir_all(&taken).unwrap();

    // Again, now that nothing is in the way.
    let ended = scene.saved(vec![saving(&message, &inbox, false)]).await;
    assert_eq!(ended[0].state, TransferState::Done, "{ended:?}");
    assert_eq!(fs::read(&taken).unwrap(), bytes(1));
    assert_eq!(names(&inbox), [NAME]);
}

/// Stands for a disk that is full while the file with this ending is written, in the transfer of this number.
#[cfg(target_os = "linux")]
fn full(inbox: &Path, transfer: u64, ending: &str) {
    let name = format!(".{NAME}.{transfer}.{ending}");
    std::os::unix::fs::symlink("/dev/full", inbox.join(name)).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing_behind() {
    let mut scene = Scene::new().await;
    let message = scene.sent(1, "one").await;
    let inbox = scene.folder("inbox");
    let first = scene.saved(vec![saving(&message, &inbox, false)]).await;
    let next = first[0].transfer + 1;
    fs::write(inbox.join(NAME), "mine").unwrap();
    // While it is fetched, and while it is decrypted; and what is there stays, although it is to be replaced.
    for (transfer, ending) in (next..).zip(["sabir-part", "sabir-new"]) {
        full(&inbox, transfer, ending);
        fails(&scene, saving(&message, &inbox, true), "No space left on device").await;
        assert_eq!(fs::read(inbox.join(NAME)).unwrap(), b"mine", "{ending}");
        assert_eq!(names(&inbox), [NAME], "{ending}");
    }
    let ended = scene.saved(vec![saving(&message, &inbox, true)]).await;
    assert_eq!(ended[0].state, TransferState::Done, "{ended:?}");
    assert_eq!(fs::read(inbox.join(NAME)).unwrap(), bytes(1));
    assert_eq!(names(&inbox), [NAME]);
}

#[tokio::test]
async fn what_is_no_file_is_not_sent() {
    let mut scene = Scene::new().await;
    let folder = scene.folder("alice's");
    let nowhere = folder.join("file").join("below");
    fs::write(folder.join("file"), "mine").unwrap();
    let pipe = folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for (path, words) in [
        (&nowhere, "cannot be read"),
        (&folder, "not a regular file"),
        (&pipe, "not a regular file"),
    ] {
        let file = sending(path, "a file", Some("the same"));
        let asked = scene.alice.send_file("bob@a.example", file);
        let asked = tokio::time::timeout(PATIENCE, asked).await.expect("an answer");
        let problem = asked.unwrap_err().to_string();
        assert!(problem.contains(words), "{problem}");
    }
    // Nothing of it is in the way of what can be sent.
    let message = scene.sent(1, "one").await;
    assert_eq!(message.text, "one");
}

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::teller::Teller;
use crate::{Profile, Town, TownError, until};

const DOMAINS: [&str; 3] = ["a.example", "b.example", "c.example"];
const PATIENCE: Duration = Duration::from_secs(60);
/// What the group is called.
pub(super) const GROUP: &str = "Night hikers";

/// The people, and what each conversation must hold from here on.
struct Cast {
    alice: Profile,
    bob: Profile,
    carol: Profile,
    dave: Profile,
    direct: Vec<&'static str>,
    group: Vec<&'static str>,
}

/// Tells the story to its end. The town lives on.
pub(super) fn tell<W: Write>(folder: &Path, teller: &mut Teller<'_, W>) -> Result<Town, TownError> {
    let (mut town, mut cast) = opening(folder, teller)?;
    direct_chat(&mut town, &mut cast, teller)?;
    group(&mut cast, teller)?;
    file(&town, &mut cast, teller)?;
    absence(&mut town, &mut cast, teller)?;
    removal(&mut cast, teller)?;
    nothing_read(&town, teller)?;
    Ok(town)
}

fn opening<W: Write>(folder: &Path, teller: &mut Teller<'_, W>) -> Result<(Town, Cast), TownError> {
    teller.begin("three providers start, each its own process, with a private certificate authority");
    let mut town = Town::in_folder(folder, &DOMAINS)?;
    for domain in DOMAINS {
        let address = town.provider(domain)?.address();
        teller.say(&format!("{domain} listens on {address}"));
    }
    teller.begin("accounts by invite: Alice at a.example, Bob and Dave at b.example, Carol at c.example");
    let cast = Cast {
        alice: town.person("alice", "a.example")?,
        bob: town.person("bob", "b.example")?,
        carol: town.person("carol", "c.example")?,
        dave: town.person("dave", "b.example")?,
        direct: Vec::new(),
        group: Vec::new(),
    };
    Ok((town, cast))
}

fn direct_chat<W: Write>(
    town: &mut Town,
    cast: &mut Cast,
    teller: &mut Teller<'_, W>,
) -> Result<(), TownError> {
    teller.begin("Alice writes to Bob; Bob reads it at his own provider and answers");
    cast.alice_to_bob("Hello Bob, can anybody else read this?", teller)?;
    cast.bob
        .expect_log(cast.alice.address(), &cast.direct, PATIENCE)?;
    cast.bob_to_alice("Only you and I. Our providers carry it and cannot.", teller)?;
    cast.both_have_all()?;
    teller.begin("both providers are killed and started again; nothing is lost");
    for domain in ["a.example", "b.example"] {
        let provider = town.provider_mut(domain)?;
        provider.kill();
        provider.start()?;
    }
    cast.alice_to_bob("Still there?", teller)?;
    cast.bob_to_alice("Still here.", teller)?;
    cast.both_have_all()
}

fn group<W: Write>(cast: &mut Cast, teller: &mut Teller<'_, W>) -> Result<(), TownError> {
    teller.begin("Alice makes a group with Bob and Carol: one room, three providers");
    teller.say(&format!("{GROUP}: Alice, Bob, Carol"));
    let (bob, carol) = (cast.bob.address(), cast.carol.address());
    cast.alice.ask(&["room", "create", GROUP, bob, carol])?;
    for person in [&cast.alice, &cast.bob, &cast.carol] {
        expect_people(person, &[&cast.alice, &cast.bob, &cast.carol])?;
    }
    let said = say(
        &[
            (&cast.alice, "alice", "Full moon on Friday. Who comes along?"),
            (&cast.bob, "bob", "I do."),
            (&cast.carol, "carol", "And I, with a thermos."),
        ],
        teller,
    )?;
    cast.group.extend(said);
    cast.have_the_group(&[&cast.alice, &cast.bob, &cast.carol])
}

fn file<W: Write>(town: &Town, cast: &mut Cast, teller: &mut Teller<'_, W>) -> Result<(), TownError> {
    teller.begin("Bob sends a file; Carol saves it through her own provider");
    let route = route();
    let sent = town.folder().join("night-route.gpx");
    std::fs::write(&sent, &route).map_err(TownError::io("writing the file"))?;
    let text = "The way up and back.";
    teller.line("bob", &format!("{text} [night-route.gpx, {} bytes]", route.len()));
    for secret in [text, "night-route.gpx", WAYPOINT] {
        teller.secret(secret);
    }
    let path = sent.display().to_string();
    cast.bob.ask(&["send", "--file", &path, GROUP, text])?;
    cast.group.push(text);
    cast.have_the_group(&[&cast.carol])?;
    let message = cast.carol.messages(GROUP)?.pop().unwrap_or_default();
    let number = message.get("id").map(Value::to_string).unwrap_or_default();
    let folder = cast.carol.folder().join("saved");
    std::fs::create_dir_all(&folder).map_err(TownError::io("making a folder"))?;
    let saved = folder.display().to_string();
    cast.carol.ask(&["save", &number, &saved])?;
    let saved = folder.join("night-route.gpx");
    let arrived = std::fs::read(&saved).map_err(TownError::io("reading the saved file"))?;
    if arrived != route.as_bytes() {
        return Err(TownError::Wrong("the file is not what was sent".to_owned()));
    }
    teller.say(&format!("carol has {}, byte for byte", saved.display()));
    Ok(())
}

fn absence<W: Write>(town: &mut Town, cast: &mut Cast, teller: &mut Teller<'_, W>) -> Result<(), TownError> {
    teller.begin("Carol's device and her whole provider go down; the others go on");
    cast.carol.stop_agent();
    town.provider_mut("c.example")?.kill();
    teller.say("c.example is down; alice makes bob an admin meanwhile");
    let first = [(&cast.alice, "alice", "We meet at the old mill.")];
    let then = [
        (&cast.bob, "bob", "Half past nine."),
        (&cast.alice, "alice", "I bring the lamp."),
    ];
    let mut said = say(&first, teller)?;
    cast.alice
        .ask(&["room", "role", GROUP, cast.bob.address(), "admin"])?;
    said.extend(say(&then, teller)?);
    cast.group.extend(said);
    cast.have_the_group(&[&cast.alice, &cast.bob])?;
    teller.begin("both come back: Carol has everything, in order");
    town.provider_mut("c.example")?.start()?;
    cast.have_the_group(&[&cast.carol])?;
    let said = say(
        &[(&cast.carol, "carol", "I was under the hill. At the mill, then.")],
        teller,
    )?;
    cast.group.extend(said);
    cast.have_the_group(&[&cast.alice, &cast.bob, &cast.carol])?;
    teller.begin("Bob, an admin now, lets Dave in; Dave reads from then on");
    cast.bob.ask(&["room", "add", GROUP, cast.dave.address()])?;
    for person in [&cast.alice, &cast.bob, &cast.carol, &cast.dave] {
        expect_people(person, &[&cast.alice, &cast.bob, &cast.carol, &cast.dave])?;
    }
    let said = say(
        &[(&cast.dave, "dave", "Hello all. Is there room for one more?")],
        teller,
    )?;
    cast.dave.expect_log(GROUP, &said, PATIENCE)?;
    cast.group.extend(said);
    cast.have_the_group(&[&cast.alice, &cast.bob, &cast.carol])
}

fn removal<W: Write>(cast: &mut Cast, teller: &mut Teller<'_, W>) -> Result<(), TownError> {
    teller.begin("Alice removes Bob: what is said from then on, he cannot read, nor can he write");
    cast.alice.ask(&["room", "remove", GROUP, cast.bob.address()])?;
    for person in [&cast.alice, &cast.carol, &cast.dave] {
        expect_people(person, &[&cast.alice, &cast.carol, &cast.dave])?;
    }
    let his = cast.group.clone();
    let said = say(&[(&cast.alice, "alice", "Only the three of us, now.")], teller)?;
    cast.group.extend(said);
    cast.have_the_group(&[&cast.alice, &cast.carol])?;
    until("Bob knows that he is out", PATIENCE, || {
        let room = cast.bob.ask(&["room", "show", GROUP]).ok()?;
        (room.get("in_room") == Some(&Value::Bool(false))).then_some(())
    })?;
    match cast.bob.send(GROUP, "May I?") {
        Err(TownError::Failed { .. }) => {}
        _ => return Err(TownError::Wrong("who was removed could write".to_owned())),
    }
    cast.bob.expect_log(GROUP, &his, PATIENCE)?;
    teller.say("bob keeps what he had, and gets no more");
    // The direct conversation of the two is another room.
    cast.bob_to_alice("No hard feelings?", teller)?;
    cast.both_have_all()
}

fn nothing_read<W: Write>(town: &Town, teller: &mut Teller<'_, W>) -> Result<(), TownError> {
    teller.begin("what the providers stored and logged holds none of these words, nor the file");
    for domain in DOMAINS {
        let folder = town.provider(domain)?.folder();
        for text in teller.secrets() {
            if let Some(file) = crate::town::find(folder, text.as_bytes())? {
                return Err(TownError::Wrong(format!("{} holds {text:?}", file.display())));
            }
        }
    }
    let count = teller.secrets().len();
    teller.say(&format!("searched {count} texts at {} providers", DOMAINS.len()));
    teller.say("they do know who is in a room, when somebody writes, and what a group is called");
    Ok(())
}

impl Cast {
    fn alice_to_bob<W: Write>(
        &mut self,
        text: &'static str,
        teller: &mut Teller<'_, W>,
    ) -> Result<(), TownError> {
        teller.line("alice", text);
        self.alice.send(self.bob.address(), text)?;
        self.direct.push(text);
        Ok(())
    }

    fn bob_to_alice<W: Write>(
        &mut self,
        text: &'static str,
        teller: &mut Teller<'_, W>,
    ) -> Result<(), TownError> {
        teller.line("bob", text);
        self.bob.send(self.alice.address(), text)?;
        self.direct.push(text);
        Ok(())
    }

    fn both_have_all(&self) -> Result<(), TownError> {
        self.alice
            .expect_log(self.bob.address(), &self.direct, PATIENCE)?;
        self.bob.expect_log(self.alice.address(), &self.direct, PATIENCE)
    }

    /// Waits until these have the whole conversation of the group, in its order.
    fn have_the_group(&self, people: &[&Profile]) -> Result<(), TownError> {
        people
            .iter()
            .try_for_each(|person| person.expect_log(GROUP, &self.group, PATIENCE))
    }
}

const WAYPOINT: &str = "the old mill, behind the weir";

/// People say something in the group, one after the other. What was said is returned.
fn say<W: Write>(
    lines: &[(&Profile, &str, &'static str)],
    teller: &mut Teller<'_, W>,
) -> Result<Vec<&'static str>, TownError> {
    for (person, name, text) in lines {
        teller.line(name, text);
        person.send(GROUP, text)?;
    }
    Ok(lines.iter().map(|(_, _, text)| *text).collect())
}

/// A file of some pages that says where they go.
fn route() -> String {
    let mut text = String::from("<gpx version=\"1.1\">\n");
    for step in 0..400 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "<wpt n=\"{step}\"><name>{WAYPOINT}</name></wpt>");
    }
    text.push_str("</gpx>\n");
    text
}

/// Waits until a person sees exactly these in the group.
fn expect_people(person: &Profile, people: &[&Profile]) -> Result<(), TownError> {
    let mut wanted: Vec<&str> = people.iter().map(|one| one.address()).collect();
    wanted.sort_unstable();
    until(&format!("{} sees {wanted:?}", person.address()), PATIENCE, || {
        let seen = person.people(GROUP).ok()?;
        let mut seen: Vec<&str> = seen.iter().map(|(address, _)| address.as_str()).collect();
        seen.sort_unstable();
        (seen == wanted).then_some(())
    })
}

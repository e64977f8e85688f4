//! Join links: somebody gives one to somebody at another provider.

use sabir_testkit::Town;

use super::{refusal, sees, show, soon, texts};

#[test]
fn a_link_lets_in_who_has_it_as_long_as_it_lasts() {
    let mut town = Town::new(&["a.example", "b.example", "c.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let carol = town.person("carol", "c.example").unwrap();
    let (a, b, c) = (alice.address(), bob.address(), carol.address());
    alice.ask(&["room", "create", "Club"]).unwrap();

    let made = alice
        .ask(&["room", "link", "Club", "--uses", "1", "--lasts", "1h"])
        .unwrap();
    let link = made["link"]["link"].as_str().unwrap().to_owned();
    let room = link.split_once('#').unwrap().0.to_owned();
    // Without the link, with half of it, and with another secret nobody comes in; and nobody is told why.
    let guessed = format!("{room}#{}", "A".repeat(43));
    let cut = link.get(..link.len() - 1).unwrap();
    assert!(refusal(bob.ask(&["room", "join", cut])).contains("cut short"));
    let unknown = refusal(bob.ask(&["room", "join", &guessed]));
    assert!(unknown.contains("does not exist"), "{unknown}");
    assert_eq!(refusal(bob.ask(&["room", "join", &room])), unknown);
    sees(&alice, "Club", &[(a, "owner")]);

    let joined = bob.ask(&["room", "join", &link]).unwrap();
    assert_eq!(joined["room"]["room"], room.as_str());
    for person in [&alice, &bob] {
        sees(person, "Club", &[(a, "owner"), (b, "member")]);
    }
    bob.send("Club", "Here by the link").unwrap();
    soon("alice hears bob", || {
        texts(&alice, "Club")
            .contains(&"Here by the link".to_owned())
            .then_some(())
    });
    alice.send("Club", "So I see").unwrap();
    soon("bob hears alice", || {
        texts(&bob, "Club").contains(&"So I see".to_owned()).then_some(())
    });
    // Who is in is in; the link is used up for everybody else, and says no more than a wrong one.
    assert_eq!(
        bob.ask(&["room", "join", &link]).unwrap()["room"]["room"],
        room.as_str()
    );
    assert_eq!(refusal(carol.ask(&["room", "join", &link])), unknown);

    // A second one, which is withdrawn; who made it sees it again, others see its terms alone.
    let second = alice
        .ask(&["room", "link", "Club", "--role", "read-only"])
        .unwrap();
    let second = second["link"].clone();
    let listed = alice.ask(&["room", "link", "Club", "--list"]).unwrap();
    assert_eq!(listed["links"][1]["link"], second["link"]);
    soon("bob sees both links", || {
        let listed = bob.ask(&["room", "link", "Club", "--list"]).ok()?;
        let links = listed["links"].as_array()?.clone();
        let hidden = links.iter().all(|link| link["link"].is_null());
        (links.len() == 2 && hidden && links[1]["role"] == "read-only").then_some(())
    });
    let name = second["name"].as_str().unwrap();
    assert!(refusal(bob.ask(&["room", "link", "Club", "--withdraw", name])).contains("only"));
    alice.ask(&["room", "link", "Club", "--withdraw", name]).unwrap();
    let withdrawn = second["link"].as_str().unwrap();
    assert_eq!(refusal(carol.ask(&["room", "join", withdrawn])), unknown);

    // A third, after which Carol, who was removed once, is in again and reads no more than she may.
    let third = alice
        .ask(&["room", "link", "Club", "--role", "read-only"])
        .unwrap();
    let third = third["link"]["link"].as_str().unwrap().to_owned();
    carol.ask(&["room", "join", &third]).unwrap();
    sees(&carol, "Club", &[(a, "owner"), (b, "member"), (c, "read-only")]);
    assert!(carol.ask(&["send", "Club", "May I?"]).is_err());
    alice.ask(&["room", "remove", "Club", c]).unwrap();
    soon("carol is out", || {
        (show(&carol, &room)?["in_room"] == false).then_some(())
    });
    carol.ask(&["room", "join", &third]).unwrap();
    sees(&carol, "Club", &[(a, "owner"), (b, "member"), (c, "read-only")]);
    alice.ask(&["room", "ban", "Club", c]).unwrap();
    soon("carol is out for good", || {
        (show(&carol, &room)?["in_room"] == false).then_some(())
    });
    assert_eq!(refusal(carol.ask(&["room", "join", &third])), unknown);
    // What she saw while she was there is still hers.
    assert_eq!(show(&carol, &room).unwrap()["in_room"], false);
}

#[test]
fn whoever_knows_a_public_room_comes_in() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let (a, b) = (alice.address(), bob.address());
    let made = alice
        .ask(&["room", "create", "Square", "--template", "public"])
        .unwrap();
    let room = made["room"]["room"].as_str().unwrap();
    bob.ask(&["room", "join", room]).unwrap();
    for person in [&alice, &bob] {
        sees(person, "Square", &[(a, "owner"), (b, "member")]);
    }
    let log = alice.ask(&["log", "Square"]).unwrap();
    assert!(log.to_string().contains("\"type\":\"joined\""), "{log}");
    bob.send("Square", "Hello, all").unwrap();
    soon("alice hears bob", || {
        texts(&alice, "Square")
            .contains(&"Hello, all".to_owned())
            .then_some(())
    });
}

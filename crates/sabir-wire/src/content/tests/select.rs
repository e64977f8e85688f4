//! Part indexes, alternatives and languages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::content::{
    Disposition, MimiContent, NestedPart, Origin, PartSemantics, Reading, Salt, choose, content_id_index,
    media_type, parameter, select,
};

fn part(content_type: &str) -> NestedPart {
    NestedPart::single(Disposition::RENDER, content_type, "")
}

fn multi(semantics: PartSemantics, parts: Vec<NestedPart>) -> NestedPart {
    NestedPart::multi(Disposition::RENDER, semantics, parts)
}

/// draft-ietf-mimi-content appendix "Complicated Nested Example": a GIF or a PNG, each with HTML in two
/// languages; eleven parts.
fn nested_example() -> NestedPart {
    let version = |image: &str| {
        let html = |language| part("text/html;charset=utf-8").in_language(language);
        let texts = multi(PartSemantics::ChooseOne, vec![html("en"), html("fr")]);
        multi(PartSemantics::ProcessAll, vec![texts, part(image)])
    };
    multi(
        PartSemantics::ChooseOne,
        vec![version("image/gif"), version("image/png")],
    )
}

fn indexes(root: &NestedPart, types: &[&str], languages: &[&str]) -> Vec<u32> {
    let understands = |part: &NestedPart| types.contains(&media_type(part.content_type().unwrap()));
    select(
        root,
        &Reading {
            understands: &understands,
            languages,
        },
    )
    .iter()
    .map(|p| p.index)
    .collect()
}

#[test]
fn parts_are_numbered_depth_first_from_zero() {
    let origin = Origin {
        salt: Salt([0; 16]),
        sender_uri: "",
        room_uri: "",
    };
    let content = MimiContent::new(origin, nested_example());
    let found: Vec<_> = content
        .parts()
        .map(|p| (p.index, p.level, p.part.content_type()))
        .collect();
    let (html, none) = (Some("text/html;charset=utf-8"), None);
    assert_eq!(
        found,
        [
            (0, 1, none),
            (1, 2, none),
            (2, 3, none),
            (3, 4, html),
            (4, 4, html),
            (5, 3, Some("image/gif")),
            (6, 2, none),
            (7, 3, none),
            (8, 4, html),
            (9, 4, html),
            (10, 3, Some("image/png")),
        ]
    );
    assert_eq!(
        content
            .by_content_id("cid:5@local.invalid")
            .unwrap()
            .part
            .content_type(),
        Some("image/gif")
    );
    assert_eq!(content.by_content_id("CID:10@LOCAL.invalid").unwrap().index, 10);
    // "MUST only reference the partIndex of a SinglePart or ExternalPart"
    assert_eq!(content.by_content_id("cid:6@local.invalid"), None);
    assert_eq!(content.by_content_id("cid:11@local.invalid"), None);
}

#[test]
fn only_the_one_form_of_a_content_id_is_an_index() {
    assert_eq!(content_id_index("cid:0@local.invalid"), Some(0));
    for other in [
        "cid:@local.invalid",
        "cid:05@local.invalid",
        "cid:+5@local.invalid",
        "cid:-1@local.invalid",
        "cid:4294967296@local.invalid",
        "cid:5@a.example",
        "cid:5",
        "mid:5@local.invalid",
        "5@local.invalid",
        "",
    ] {
        assert_eq!(content_id_index(other), None, "{other}");
    }
}

#[test]
fn alternatives_are_chosen_by_what_can_be_read_then_by_language_then_by_order() {
    let root = nested_example();
    let all = ["text/html", "image/gif", "image/png"];
    assert_eq!(indexes(&root, &all, &[]), [3, 5]);
    assert_eq!(indexes(&root, &all, &["fr", "en"]), [4, 5]);
    assert_eq!(
        indexes(&root, &all, &["de"]),
        [3, 5],
        "no wanted language: the sender's order"
    );
    assert_eq!(
        indexes(&root, &["text/html", "image/png"], &["fr"]),
        [9, 10],
        "all of one beats half of the other"
    );
    assert_eq!(indexes(&root, &["text/html"], &["fr"]), [4]);
    assert_eq!(indexes(&root, &["image/png"], &[]), [10]);
    assert_eq!(indexes(&root, &["text/plain"], &[]), [0_u32; 0]);
}

#[test]
fn languages_match_as_ranges_and_fall_back() {
    let chosen = |tags: &[&str], wanted: &[&str]| {
        let parts: Vec<_> = tags
            .iter()
            .map(|tag| part("text/plain").in_language(tag))
            .collect();
        choose(
            &parts,
            &Reading {
                understands: &|_| true,
                languages: wanted,
            },
        )
        .unwrap()
    };
    assert_eq!(
        chosen(&["en", "en-GB"], &["en-GB"]),
        1,
        "the exact tag before its parent"
    );
    assert_eq!(
        chosen(&["fr", "EN"], &["en-GB"]),
        1,
        "the parent before another language"
    );
    assert_eq!(
        chosen(&["fr", "en-US"], &["en"]),
        1,
        "a range covers its children"
    );
    assert_eq!(
        chosen(&["eng", "de"], &["en", "de"]),
        1,
        "a tag is more than its first letters"
    );
    assert_eq!(chosen(&["fr", ""], &["de"]), 1, "no language before a wrong one");
    assert_eq!(chosen(&["", "de"], &["de"]), 1);
    assert_eq!(chosen(&["fr, de", "en"], &["de"]), 0, "a part in two languages");
    assert_eq!(chosen(&["fr", "de"], &[]), 0);
    assert_eq!(
        chosen(&["é", "de"], &["e"]),
        0,
        "tags need not be ASCII to be compared"
    );
    assert_eq!(
        choose(
            &[],
            &Reading {
                understands: &|_| true,
                languages: &[]
            }
        ),
        None
    );
}

#[test]
fn a_unit_is_processed_wholly_or_not_at_all() {
    let parts = || vec![part("text/html"), part("image/png")];
    let unit = multi(PartSemantics::SingleUnit, parts());
    assert_eq!(indexes(&unit, &["text/html", "image/png"], &[]), [1, 2]);
    assert_eq!(indexes(&unit, &["text/html"], &[]), [0_u32; 0]);
    let mixed = multi(PartSemantics::ProcessAll, parts());
    assert_eq!(indexes(&mixed, &["text/html"], &[]), [1]);
    // A unit that cannot be read gives way to a plain alternative.
    let root = multi(PartSemantics::ChooseOne, vec![unit, part("text/plain")]);
    assert_eq!(indexes(&root, &["text/html", "text/plain"], &[]), [4]);
}

#[test]
fn an_empty_alternative_is_the_last_resort() {
    let empty = NestedPart::null(Disposition::RENDER);
    let root = multi(PartSemantics::ChooseOne, vec![empty, part("text/plain")]);
    assert_eq!(indexes(&root, &["text/plain"], &[]), [2]);
    assert_eq!(indexes(&root, &[], &[]), [0_u32; 0]);
}

#[test]
fn media_types_compare_without_their_spelling() {
    assert_eq!(media_type(" text/markdown ; variant=GFM-MIMI"), "text/markdown");
    assert_eq!(
        parameter("text/markdown; Variant=\"GFM-MIMI\"", "variant"),
        Some("GFM-MIMI")
    );
    assert_eq!(parameter("text/plain", "charset"), None);
    assert_eq!(media_type(""), "");
}

#[test]
fn unknown_dispositions_act_as_render() {
    assert_eq!(Disposition(9).effective(), Disposition::RENDER);
    assert_eq!(Disposition(255).effective(), Disposition::RENDER);
    assert_eq!(Disposition::PREVIEW.effective(), Disposition::PREVIEW);
    assert_eq!(Disposition::UNSPECIFIED.effective(), Disposition::UNSPECIFIED);
}

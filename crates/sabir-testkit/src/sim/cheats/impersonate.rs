//! A provider that says what is another's to say.

use std::sync::Arc;

use axum::http::Request;
use axum::http::header::{FROM, HeaderValue};
use bytes::Bytes;
use sabir_wire::uri::Domain;
use tokio::time::sleep;

use super::{Cheat, is_taken};
use crate::sim::provider::{Answer, Caller};
use crate::sim::world::{World, copy};

/// A provider whose certificate proves this domain, and which has nobody in any room.
const LIAR: &str = "z.example";

impl World {
    /// Sends another provider's request once more: in that one's name, or in its own.
    pub(in crate::sim) fn impersonates(
        self: &Arc<Self>,
        caller: &Caller,
        to: &Domain,
        request: &Request<Bytes>,
    ) {
        let Caller::Provider(from) = caller else { return };
        // A directory is there for everybody.
        let is_it = self.cheat == Some(Cheat::Impersonates) && request.uri().path().starts_with("/mimi/");
        if !is_it || !self.cheats().fate.happens(300) {
            return;
        }
        let (in_its_name, late) = {
            let cheats = self.cheats();
            (cheats.fate.happens(500), cheats.fate.wait(1, 3_000))
        };
        let mut request = copy(request);
        if !in_its_name {
            let own = HeaderValue::from_str(&format!("mimi@{LIAR}")).unwrap();
            request.headers_mut().insert(FROM, own);
        }
        let liar = Caller::Provider(Domain::parse(LIAR).unwrap());
        let (world, from, to) = (Arc::clone(self), from.clone(), to.clone());
        tokio::spawn(async move {
            sleep(late).await;
            let Some(process) = world.provider(&to).process() else {
                return;
            };
            let at = request.uri().path().to_owned();
            let answer = Answer::of(process.handle(&liar, request).await).await;
            let whose = if in_its_name {
                format!("{from}'s")
            } else {
                "its own".to_owned()
            };
            let what = format!("{at} of {from} in {whose} name");
            world.say(
                LIAR,
                &format!("sends {to} in {whose} name what {from} sent: {}", answer.status),
            );
            // A decision comes with 200; what is said there has to be no.
            let taken = answer.status.is_success()
                && (!at.contains("/update/") && !at.contains("/submitMessage/")
                    || is_taken(at.contains("/update/"), &answer.body));
            if taken {
                world.wrong(&format!("{to} believed {LIAR}: {what}"));
            }
        });
    }
}

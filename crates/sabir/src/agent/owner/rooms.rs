//! Groups: made, changed and shown.

use sabir_client::types::{MadeLink, NewRoom, Outgoing, Room, RoomDetails, Template, Wish};

use super::{Owner, address, failures};
use crate::rpc::code::Code;
use crate::rpc::message::Failure;
use crate::rpc::rooms::{RoomAsked, RoomCreate, RoomLinkWish, RoomLinks, RoomPeople, RoomRole};

impl Owner {
    /// `room.create`.
    pub(crate) async fn create_room(&self, params: RoomCreate) -> Result<NewRoom, Failure> {
        let client = self.get()?.client;
        let template = Template::from_name(&params.template).ok_or_else(|| {
            let all: Vec<&str> = Template::ALL.iter().map(|template| template.name()).collect();
            let message = format!("there is no such template; there are {}", all.join(", "));
            Failure::new(Code::RulesMalformed, message)
        })?;
        let RoomCreate { name, people, .. } = params;
        let made = match params.post_quantum {
            Some(post_quantum) => {
                client
                    .create_group_in(&name, template, post_quantum, people)
                    .await
            }
            None => client.create_group(&name, template, people).await,
        };
        made.map_err(failures::client)
    }

    /// `room.show`.
    pub(crate) async fn show_room(&self, room: &str) -> Result<RoomDetails, Failure> {
        let of = address(room)?;
        let client = self.get()?.client;
        let mut details = client.room_details(&of).await.map_err(failures::client)?;
        if let Some(last) = &mut details.room.last {
            super::shorten(&mut last.text);
        }
        Ok(details)
    }

    /// `room.resume`.
    pub(crate) async fn resume(&self, room: &str) -> Result<Room, Failure> {
        let of = address(room)?;
        let client = self.get()?.client;
        client.resume_sending(&of).await.map_err(failures::client)?;
        let mut room = client.room(&of).await.map_err(failures::client)?;
        if let Some(last) = &mut room.last {
            super::shorten(&mut last.text);
        }
        Ok(room)
    }

    /// `room.add`, `room.unban` and `room.role`.
    pub(crate) async fn change_roles(
        &self,
        params: RoomRole,
        wish: fn(String, String) -> Wish,
    ) -> Result<RoomAsked, Failure> {
        let RoomRole { room, people, role } = params;
        let wishes = people.into_iter().map(|person| wish(person, role.clone()));
        self.change_room(&room, wishes.collect()).await
    }

    /// `room.remove` and `room.ban`.
    pub(crate) async fn change_people(
        &self,
        params: RoomPeople,
        wish: fn(String) -> Wish,
    ) -> Result<RoomAsked, Failure> {
        let RoomPeople { room, people } = params;
        self.change_room(&room, people.into_iter().map(wish).collect())
            .await
    }

    /// `room.link`.
    pub(crate) async fn make_link(&self, params: RoomLinkWish) -> Result<MadeLink, Failure> {
        let of = address(&params.room)?;
        let client = self.get()?.client;
        client.make_link(&of, params.link).await.map_err(failures::client)
    }

    /// `room.links`.
    pub(crate) async fn links(&self, room: &str) -> Result<RoomLinks, Failure> {
        let of = address(room)?;
        let client = self.get()?.client;
        let links = client.links(&of).await.map_err(failures::client)?;
        Ok(RoomLinks { links })
    }

    /// `room.join`.
    pub(crate) async fn join_room(&self, link: &str) -> Result<Outgoing, Failure> {
        let client = self.get()?.client;
        client.join_room(link).await.map_err(failures::client)
    }

    /// `room.rename`, `room.leave`, and the others.
    pub(crate) async fn change_room(&self, room: &str, wishes: Vec<Wish>) -> Result<RoomAsked, Failure> {
        let of = address(room)?;
        let client = self.get()?.client;
        let asked = client.change_room(&of, wishes).await.map_err(failures::client)?;
        Ok(RoomAsked { asked })
    }
}

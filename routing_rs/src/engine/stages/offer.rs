//! Who gets whom, and the answer to an offer: `stages/match.py`, `stages/offer.py`.

use pyo3::intern;
use pyo3::prelude::*;

use super::Decided;
use crate::Pairs;
use crate::engine::lines::Lines;
use crate::engine::records::{AnswerOffer, ContactOfferedFields, OfferAcceptedFields};
use crate::engine::turn::{Turn, ns};

/// Passes the rings that are due, then offers until nobody eligible is left.
pub(crate) fn run(turn: &Turn<'_, '_>) -> PyResult<()> {
    turn.lines.borrow_mut().changed = false;
    let due = turn.lines.queue()?.has_due(turn.now_ns)?;
    if due {
        turn.python("centralita.stages.match", "pass_rings", (turn.engine,))?;
        turn.lines.borrow_mut().changed = false;
    }
    let mut pairs = Pairs::new();
    turn.lines.queue()?.find_pairs(turn.py, turn.now_ns, &mut pairs)?;
    for (contact, agent) in pairs {
        offer_to(turn, contact, agent)?;
    }
    Ok(())
}

/// Offers a contact that the queue has put into an agent's hands.
fn offer_to(turn: &Turn<'_, '_>, contact: u64, agent: u64) -> PyResult<()> {
    let py = turn.py;
    let number = turn.int(contact.cast_signed());
    let agent_of = turn.lines.borrow().agent_of.bind(py).clone();
    let agent = agent_of.as_any().get_item(turn.int(agent.cast_signed()))?;
    let contact = turn.contact(&number)?;
    let offered = ContactOfferedFields {
        contact: number,
        agent,
        offer: turn.int(turn.state.last_id().int()? + 1),
        expires_ns: turn.int(turn.now_ns + turn.terms(&contact.queue().get())?.offer_ns().int()?),
        waited_ns: turn.int(turn.now_ns - contact.wait_from_ns().int()?),
    };
    turn.emit(&contact, &offered.make(py)?)
}

pub(crate) fn answer<'py>(turn: &Turn<'_, 'py>, command: &AnswerOffer<'py>) -> PyResult<Decided<'py>> {
    let agent = command.agent().get();
    let Some((contact, work)) = turn.find_work(&command.contact(), &agent)? else {
        return Ok(Decided::Unusual);
    };
    let usual = command.accept().is_true()
        && work.state().is_text(intern!(turn.py, "offered"))
        && command.offer().plain_int() == Some(work.offer().int()?)
        && contact.works().entries()? == 1;
    if !usual {
        return Ok(Decided::Unusual);
    }
    let queue = contact.queue().get();
    let connect_ns = if contact.callback_handle().is_blank() {
        turn.terms(&queue)?.connect_ns().int()?
    } else {
        ns(&turn.rules(&queue)?.callback_s())?
    };
    let accepted = OfferAcceptedFields {
        contact: contact.id().get(),
        agent,
        offer: command.offer().get(),
        connect_by_ns: turn.int(turn.now_ns + connect_ns),
    };
    turn.emit(&contact, &accepted.make(turn.py)?)?;
    Ok(Decided::Done)
}

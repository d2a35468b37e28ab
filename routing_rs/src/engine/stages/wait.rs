//! A contact gets into a queue: `stages/wait.py`.

use pyo3::intern;
use pyo3::prelude::*;

use super::offer;
use crate::engine::records::{Contact, ContactQueuedFields, QueueRules, Terms};
use crate::engine::slots::Struct;
use crate::engine::turn::{Turn, ns};
use crate::engine::words::{Phase, blanks};

/// Brings a contact into a queue, or does what the queue does with contacts it can't take now.
pub(crate) fn enter<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    queue: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let (rules, standing) = (turn.rules(queue)?, turn.queue(queue)?);
    join(turn, contact, queue, &rules)?;
    let overflow = |rule: Bound<'py, PyAny>, why: &str| {
        turn.python(
            "centralita.stages.wait",
            "overflow",
            (turn.engine, contact.object(), rule, why),
        )
    };
    if !standing.open().is_true() {
        overflow(rules.when_closed().get(), "closed")?;
        return Ok(());
    }
    let most = rules.max_waiting();
    if !most.is_none() && i64::try_from(standing.waiting().entries()?)? > most.int()? {
        let full = turn.python(
            "centralita.stages.wait",
            "is_full",
            (turn.engine, standing.object(), most.get()),
        )?;
        if full.is_truthy()? {
            offer::run(turn)?; // who is offered at once waits on nobody's place
            if Phase::of(&contact.phase())? == Phase::Waiting {
                overflow(rules.when_full().get(), "full")?;
            }
            return Ok(());
        }
    }
    let unstaffed = rules.when_unstaffed().get();
    if !unstaffed
        .getattr(intern!(turn.py, "do"))?
        .eq(intern!(turn.py, "wait"))?
    {
        let staffed = turn.python(
            "centralita.stages.wait",
            "staffed",
            (turn.engine, contact.object()),
        )?;
        if !staffed.is_truthy()? {
            overflow(unstaffed, "unstaffed")?;
        }
    }
    Ok(())
}

/// Stands in a queue's line.
fn join<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    queue: &Bound<'py, PyAny>,
    rules: &QueueRules<'py>,
) -> PyResult<()> {
    let (now_ns, terms) = (turn.now_ns, turn.terms(queue)?);
    let answered = contact.answered().is_true();
    let mut credit_ns = if contact.own_credit_ns().is_none() {
        terms.credit_ns().int()?
    } else {
        contact.own_credit_ns().int()?
    };
    if answered {
        credit_ns += now_ns - contact.arrived_ns().int()?;
    } else if contact.wait_from_ns().int()? != 0 {
        credit_ns += now_ns - contact.wait_from_ns().int()?;
    }
    let called =
        contact.direction().is_text(intern!(turn.py, "outbound")) || !contact.callback_handle().is_blank();
    let on_the_line = contact.reached().is_true() || !called;
    let skills = if contact.own_skills().is_blank() {
        rules.skills().get()
    } else {
        let both = (rules.skills().get(), contact.own_skills().get());
        turn.python("centralita.stages.wait", "required", both)?
    };
    let mut preferred = turn.blank();
    if rules.prefer_for_s().float()? != 0.0 {
        let of = (turn.engine, contact.object(), queue, &skills);
        preferred = turn.python("centralita.stages.wait", "preferred_of", of)?;
    }
    let until_ns = if preferred.is_truthy()? {
        now_ns + ns(&rules.prefer_for_s())?
    } else {
        0
    };
    let queued = ContactQueuedFields {
        contact: contact.id().get(),
        queue: queue.clone(),
        skills,
        priority: turn.int(rules.priority().int()? + contact.own_priority().int()?),
        rate_thousandths: terms.rate_thousandths().get(),
        credit_ns: turn.int(credit_ns),
        queued_ns: turn.now.clone(),
        preferred_agent: preferred,
        preferred_until_ns: turn.int(until_ns),
        max_wait_until_ns: on_line_until(turn, on_the_line, terms.max_wait_ns().int()?),
        announce_at_ns: on_line_until(turn, on_the_line, announces_ns(&terms)?),
        due_ns: contact.due_ns().get(),
        reason: turn.blank(),
        hops: turn.int(contact.hops().int()? + 1),
        excluded: blanks(turn.py).tuple.bind(turn.py).clone(),
    };
    turn.emit(contact, &queued.make(turn.py)?)
}

fn announces_ns(terms: &Terms<'_>) -> PyResult<i64> {
    Ok(terms.announce_every_ns().int()?.max(0))
}

/// So long from now for somebody on the line; 0 for nobody, and for no time.
fn on_line_until<'py>(turn: &Turn<'_, 'py>, on_the_line: bool, after_ns: i64) -> Bound<'py, PyAny> {
    if on_the_line && after_ns != 0 {
        turn.int(turn.now_ns + after_ns)
    } else {
        turn.zero()
    }
}

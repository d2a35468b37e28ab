//! Customer and agent are brought together: `stages/serve.py`.

use pyo3::intern;
use pyo3::prelude::*;

use super::Decided;
use crate::engine::objects::truth;
use crate::engine::records::{ContactConnectedFields, ReportConnection};
use crate::engine::turn::Turn;

pub(crate) fn report_connection<'py>(
    turn: &Turn<'_, 'py>,
    command: &ReportConnection<'py>,
) -> PyResult<Decided<'py>> {
    let agent = command.agent().get();
    let Some((contact, work)) = turn.find_work(&command.contact(), &agent)? else {
        return Ok(Decided::Unusual);
    };
    if !command.made().is_true() || !work.state().is_text(intern!(turn.py, "connecting")) {
        return Ok(Decided::Unusual);
    }
    let connected = ContactConnectedFields {
        contact: contact.id().get(),
        agent,
        queue: contact.queue().get(),
        waited_ns: turn.int(turn.now_ns - contact.wait_from_ns().int()?),
        first: truth(turn.py, !contact.answered().is_true()),
    };
    turn.emit(&contact, &connected.make(turn.py)?)?;
    Ok(Decided::Done)
}

//! What a fold keeps, as `memory.py` and `tallies.py` declare it.

use crate::engine::slots::records;

records! {
    "centralita.memory" {
        Memory from MemoryFields { version, seq, at_ns, since_ns, admitted, ended, consultations_admitted, consultations_ended, live, queues, agents, components_down, minutes, quarters, day }
        Live from LiveFields { consultation, queue, entered, staying, callback, wait_from_ns, works, to_dial, contact }
        Work from WorkFields { talk_from_ns, wrap_from_ns, held_from_ns, held_ns, accepted }
    }
    "centralita.tallies" {
        QueueTally from QueueTallyFields { answer_target_ns, short_abandon_ns, admitted, offered, answered, answered_in_target, abandoned, abandoned_in_target, short_abandons, became_callbacks, became_callbacks_in_target, flowed_out, removed, wait_ns, wait_ns_max, abandon_wait_ns, abandon_wait_ns_max, handled, talk_ns, hold_ns, wrap_up_ns, transfers_blind, transfers_consulted, consultations, callbacks_requested, callbacks_reached, callbacks_unreached, csat_sum, csat_count, offers_made, offers_accepted, offers_declined, offers_expired, offers_withdrawn, connections_failed, outcomes, messages, waits, abandon_waits, waiting, callbacks_waiting }
        AgentTally from AgentTallyFields { state, since_ns, status, reason, lost, offered, connected, wrapping, state_ns, break_ns, contacts, consultations, talk_ns, hold_ns, wrap_up_ns, offers_made, offers_accepted, offers_declined, offers_expired, offers_withdrawn, transfers, csat_sum, csat_count }
    }
}

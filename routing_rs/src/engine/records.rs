//! The structs of Python's that the compiled engine reads and makes, with their fields in order.
//!
//! A field that is added, moved or taken away there must be here too: the import says so otherwise.

use crate::engine::slots::records;

records! {
    "centralita.messages" {
        AdmitContact from AdmitContactFields { channel, provider_id, handle, to, subject, customer_name, language, queue, skills, priority, credit_s, preferred_agent, attributes, conversation, text, outbound }
        IdentifyContact from IdentifyContactFields { contact, customer, conversation }
        ClassifyContact from ClassifyContactFields { contact, queue, skills, priority, preferred_agent, attributes, by }
        AnswerOffer from AnswerOfferFields { contact, agent, offer, accept, reason }
        ReportConnection from ReportConnectionFields { contact, agent, made, customer_gone, reason }
        EndContact from EndContactFields { contact, by, reason }
        AbandonContact from AbandonContactFields { contact, reason }
        FinishWrapUp from FinishWrapUpFields { contact, agent, disposition, notes }
        ContactAdmitted from ContactAdmittedFields { contact, conversation, channel, medium, provider_id, direction, handle, to, subject, customer_name, language, queue, skills, priority, credit_ns, preferred_agent, attributes, parent }
        IdentificationStarted from IdentificationStartedFields { contact, deadline_ns }
        ContactIdentified from ContactIdentifiedFields { contact, customer, conversation, timed_out }
        ClassificationStarted from ClassificationStartedFields { contact, deadline_ns }
        ContactClassified from ContactClassifiedFields { contact, queue, skills, priority, preferred_agent, attributes, by }
        ContactQueued from ContactQueuedFields { contact, queue, skills, priority, rate_thousandths, credit_ns, queued_ns, preferred_agent, preferred_until_ns, max_wait_until_ns, announce_at_ns, due_ns, reason, hops, excluded }
        ContactOffered from ContactOfferedFields { contact, agent, offer, expires_ns, waited_ns }
        OfferAccepted from OfferAcceptedFields { contact, agent, offer, connect_by_ns }
        ContactConnected from ContactConnectedFields { contact, agent, queue, waited_ns, first }
        ServiceEnded from ServiceEndedFields { contact, by, reason, outcome }
        WrapUpStarted from WrapUpStartedFields { contact, agent, deadline_ns, hold }
        WrapUpEnded from WrapUpEndedFields { contact, agent, by, disposition, notes, wrap_up_ns, hold }
        ContactEnded from ContactEndedFields { contact, outcome, channel, queue, agent, by, reason, direction, arrived_ns, waited_ns, talk_ns, hold_ns, wrap_up_ns }
        FindCustomer from FindCustomerFields { contact }
        FindClassification from FindClassificationFields { contact }
        SendOffer from SendOfferFields { contact, agent, offer, expires_ns }
        ConnectContact from ConnectContactFields { contact, channel, provider_id, agent, callback_handle }
        DisconnectContact from DisconnectContactFields { contact, channel, provider_id, reason }
        Customer from CustomerFields { id, name, language, vip, preferred_agent, crm, url }
        Refusal from RefusalFields { code, message }
        Record from RecordFields { seq, at_ns, command, events }
    }
    "centralita.state" {
        State from StateFields { config, last_id, last_agent_number, queue_turns, admitted_n, ended_n, contacts, agents, queues, ended, by_provider, by_customer, components_down, words_swept_ns }
        Contact from ContactFields { id, conversation, channel, medium, provider_id, direction, arrived_ns, handle, to, subject, customer_name, language, customer, phase, phase_since_ns, deadline_ns, queue, own_skills, own_priority, own_credit_ns, preferred_agent, attributes, skills, priority, rate_thousandths, credit_ns, queued_ns, wait_from_ns, prefer_agent, prefer_until_ns, excluded, rung, announce_at_ns, due_ns, hops, picked, agent, last_agent, works, consultation, parent, bot, callback_handle, callback_channel, callback_attempts, outcome, ended_by, ended_reason, messages, messages_n, active_ns, notes, disposition, summary, waited_ns, talk_ns, hold_ns, wrap_up_ns, answered, rated, bot_after, forwarded_to, undelivered, reached }
        Agent from AgentFields { name, number, status, reason, since_ns, desk, leaving, grace_until_ns, no_answers, contacts, queue_since_ns, queue_given, queue_turn, busy }
        Queue from QueueFields { name, open, waiting, last_start_ns, backlog_at_last_start, gap_ns, gaps_n, handling_ns, handled_n, line_n, line_ns, gave_up, gap_unevenness }
        Work from WorkFields { state, since_ns, deadline_ns, offer, hold, medium }
        Ended from EndedFields { channel, provider_id, queue, agent, ended_ns, rated, reached_on, last_words, consultation, forwarded_to, undelivered }
        EngineConfig from EngineConfigFields { media, skills, queues, agents, channels, crms, classifiers, dispositions, break_reasons, default_queue, limits }
        QueueRules from QueueRulesFields { title, skills, priority, credit_s, rate, agent_order, seed, offer_to, offer_s, no_answer, no_answer_limit, connect_s, rings, prefer_for_s, wrap_up_s, wrap_up_max_s, answer_target_s, short_abandon_s, hours, max_waiting, max_wait_s, when_full, when_waited, when_unstaffed, when_closed, announce_every_s, announce_position, announce_wait, callback_attempts, callback_s, callback_retry_s, reserve_after_s, keep_deferred, ask_again_s }
    }
    "centralita.config" {
        ChannelRule from ChannelRuleFields { medium, queue, bot, can_dial, can_forward }
        Limits from LimitsFields { identify_s, classify_s, bot_turn_s, grace_s, hold_s, silence_s, rating_s, messages_kept, hops }
    }
    "centralita.lines" {
        Terms from TermsFields { order, rate_thousandths, credit_ns, offer_ns, connect_ns, max_wait_ns, announce_every_ns, wrap_up_ns, has_rings }
    }
    "centralita.engine" {
        Step from StepFields { events, asks, refusal, contact, seq }
    }
}

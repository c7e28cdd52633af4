/* messages: the codec tables of messages.h, in its order, and in step with sealmq.proto. */
#include "broker/wire/messages.h"

#define U64(n, s, f)  {n, #f, CODEC_U64, offsetof(struct s, f), 0, 0, NULL}
#define U32(n, s, f)  {n, #f, CODEC_U32, offsetof(struct s, f), 0, 0, NULL}
#define BOOL(n, s, f) {n, #f, CODEC_BOOL, offsetof(struct s, f), 0, 0, NULL}
#define SIZE_OF(s, f) sizeof(((struct s *)0)->f)
#define FIXED(n, s, f) {n, #f, CODEC_FIXED, offsetof(struct s, f), 0, SIZE_OF(s, f), NULL}
#define MAYBE(n, s, f) {n, #f, CODEC_MAYBE, offsetof(struct s, f), 0, SIZE_OF(s, f), NULL}
#define BYTES(n, s, f, max) {n, #f, CODEC_BYTES, offsetof(struct s, f), 0, max, NULL}
#define ONE(n, s, f, sub) {n, #f, CODEC_ONE, offsetof(struct s, f), 0, 0, &msg_##sub##_desc}
#define MANY(n, s, f, count, max, sub)                                                             \
    {n, #f, CODEC_MANY, offsetof(struct s, f), offsetof(struct s, count), max, &msg_##sub##_desc}
#define VIEWS(n, s, f, count, max)                                                                 \
    {n, #f, CODEC_VIEWS, offsetof(struct s, f), offsetof(struct s, count), max, NULL}
/* The struct type may differ from the table's name (session numbers are struct session_id). */
#define TABLE_OF(linkage, name, type, ...)                                                         \
    static const struct codec_field name##_fields[] = {__VA_ARGS__};                               \
    linkage const struct codec_desc msg_##name##_desc = {                                          \
        #name, sizeof(struct type), name##_fields, sizeof name##_fields / sizeof name##_fields[0]};
#define TABLE(name, ...)       TABLE_OF(, name, msg_##name, __VA_ARGS__)
#define INNER(name, type, ...) TABLE_OF(static, name, type, __VA_ARGS__)

TABLE(log_state, U64(1, msg_log_state, length), FIXED(2, msg_log_state, head),
      U64(3, msg_log_state, key_version), FIXED(4, msg_log_state, version_head))
TABLE(prekey_state, U64(1, msg_prekey_state, signed_id), U64(2, msg_prekey_state, last_resort_id),
      U64(3, msg_prekey_state, one_time_highest), U32(4, msg_prekey_state, one_time_count))
INNER(device_id_list, device_id_list, FIXED(1, device_id_list, device))
INNER(session_id, session_id, FIXED(1, session_id, term), U64(2, session_id, number))

TABLE(hello, FIXED(1, msg_hello, device), FIXED(2, msg_hello, account),
      BYTES(3, msg_hello, client_version, CLIENT_VERSION_LEN_MAX), U32(4, msg_hello, protocol_min),
      U32(5, msg_hello, protocol_max), BOOL(6, msg_hello, attach),
      U32(7, msg_hello, credit_messages), U64(8, msg_hello, credit_bytes),
      BOOL(9, msg_hello, reoffer_held), U64(10, msg_hello, client_ms),
      BYTES(11, msg_hello, lineage, LINEAGE_MARK_LEN))
INNER(range, msg_range, U32(1, msg_range, first), U32(2, msg_range, last),
      FIXED(3, msg_range, store), FIXED(4, msg_range, term))
TABLE(map, U64(1, msg_map, version), MANY(2, msg_map, ranges, range_count, MAP_RANGES_MAX, range))
TABLE(welcome, ONE(1, msg_welcome, session, session_id), U64(2, msg_welcome, relay_ms),
      U32(3, msg_welcome, credit_messages), U64(4, msg_welcome, credit_bytes),
      U32(5, msg_welcome, ping_ms), ONE(6, msg_welcome, map, map),
      ONE(7, msg_welcome, log, log_state), ONE(8, msg_welcome, prekeys, prekey_state),
      BYTES(9, msg_welcome, lineage, LINEAGE_LEN_MAX), U64(12, msg_welcome, contacts_version))
TABLE(pong, U64(1, msg_pong, relay_ms), ONE(2, msg_pong, map, map))
TABLE(error, U32(1, msg_error, status), U32(2, msg_error, retry_after_ms),
      U32(3, msg_error, protocol_min), U32(4, msg_error, protocol_max))
TABLE(superseded, ONE(1, msg_superseded, by, session_id))
TABLE(drain, U32(1, msg_drain, deadline_ms))
TABLE(empty, U32(1, msg_empty, unused))

TABLE(device_record, FIXED(1, msg_device_record, signing), FIXED(2, msg_device_record, identity),
      FIXED(3, msg_device_record, transport))
TABLE(entry_body, U32(1, msg_entry_body, operation), U64(2, msg_entry_body, number),
      MAYBE(3, msg_entry_body, previous), U64(4, msg_entry_body, made_ms),
      MANY(5, msg_entry_body, device, device_count, 1, device_record),
      MAYBE(6, msg_entry_body, salt), MAYBE(7, msg_entry_body, signer),
      MAYBE(8, msg_entry_body, subject), MAYBE(9, msg_entry_body, proof),
      MAYBE(10, msg_entry_body, recovery), BYTES(11, msg_entry_body, data, ENTRY_DATA_LEN_MAX))
TABLE(description, BYTES(1, msg_description, name, DEVICE_NAME_LEN_MAX))
TABLE(entry, BYTES(1, msg_entry, body, ENTRY_LEN_MAX), FIXED(2, msg_entry, signature))
TABLE(register, BYTES(1, msg_register, entry, ENTRY_LEN_MAX),
      VIEWS(2, msg_register, entries, entry_count, ENTRIES_PER_FRAME),
      BYTES(3, msg_register, token, TOKEN_LEN_MAX))
TABLE(registered, FIXED(1, msg_registered, account), FIXED(2, msg_registered, device),
      ONE(3, msg_registered, log, log_state))
TABLE(append, FIXED(1, msg_append, account),
      VIEWS(2, msg_append, entries, entry_count, ENTRIES_PER_FRAME), BOOL(3, msg_append, held))
TABLE(appended, ONE(1, msg_appended, log, log_state))
TABLE(claim_handle, BYTES(1, msg_claim_handle, handle, HANDLE_LEN_MAX),
      BYTES(2, msg_claim_handle, entry, ENTRY_LEN_MAX), FIXED(3, msg_claim_handle, signature),
      BYTES(4, msg_claim_handle, token, TOKEN_LEN_MAX))
TABLE(handle_claimed, FIXED(1, msg_handle_claimed, account))
INNER(recovery_proof, msg_recovery_proof, U64(1, msg_recovery_proof, made_ms),
      FIXED(2, msg_recovery_proof, signature))
TABLE(lookup, BYTES(1, msg_lookup, handle, HANDLE_LEN_MAX), MAYBE(2, msg_lookup, account),
      U64(3, msg_lookup, first), MANY(4, msg_lookup, recovery, recovery_count, 1, recovery_proof))
INNER(handle_proof, msg_handle_proof, BYTES(1, msg_handle_proof, entry, ENTRY_LEN_MAX),
      FIXED(2, msg_handle_proof, signature), BYTES(3, msg_handle_proof, token, TOKEN_LEN_MAX))
TABLE(found, FIXED(1, msg_found, account), ONE(2, msg_found, log, log_state),
      VIEWS(3, msg_found, entries, entry_count, ENTRIES_PER_FRAME),
      MANY(4, msg_found, proof, proof_count, 1, handle_proof))

TABLE(token_body, BYTES(1, msg_token_body, handle, HANDLE_LEN_MAX), FIXED(2, msg_token_body, account),
      U64(3, msg_token_body, expires_ms), FIXED(4, msg_token_body, relay))
TABLE(token, BYTES(1, msg_token, body, TOKEN_BODY_LEN_MAX), FIXED(2, msg_token, signature))

TABLE(prekey_body, FIXED(1, msg_prekey_body, device), U64(2, msg_prekey_body, id),
      FIXED(3, msg_prekey_body, key), U64(4, msg_prekey_body, made_ms),
      U64(5, msg_prekey_body, key_version), FIXED(6, msg_prekey_body, head),
      BOOL(7, msg_prekey_body, last_resort))
TABLE(signed_prekey, BYTES(1, msg_signed_prekey, body, PREKEY_BODY_LEN_MAX),
      FIXED(2, msg_signed_prekey, signature))
INNER(one_time_prekey, msg_one_time_prekey, U64(1, msg_one_time_prekey, id),
      FIXED(2, msg_one_time_prekey, key))
TABLE(publish, BYTES(1, msg_publish, current, PREKEY_LEN_MAX),
      BYTES(2, msg_publish, last_resort, PREKEY_LEN_MAX),
      MANY(3, msg_publish, one_time, one_time_count, ONE_TIME_PREKEYS_MAX, one_time_prekey),
      U64(4, msg_publish, keep_from))
TABLE(published, ONE(1, msg_published, prekeys, prekey_state))
TABLE(claim_prekeys, FIXED(1, msg_claim_prekeys, account),
      MANY(2, msg_claim_prekeys, devices, device_count, DEVICES_PER_ACCOUNT, device_id_list))
INNER(prekey_bundle, msg_prekey_bundle, FIXED(1, msg_prekey_bundle, device),
      U32(2, msg_prekey_bundle, status), BYTES(3, msg_prekey_bundle, current, PREKEY_LEN_MAX),
      MANY(4, msg_prekey_bundle, one_time, one_time_count, 1, one_time_prekey),
      BYTES(5, msg_prekey_bundle, last_resort, PREKEY_LEN_MAX),
      U32(6, msg_prekey_bundle, retry_after_ms))
TABLE(prekeys, ONE(1, msg_prekeys, log, log_state),
      MANY(2, msg_prekeys, bundles, bundle_count, DEVICES_PER_ACCOUNT, prekey_bundle))
TABLE(prekeys_low, ONE(1, msg_prekeys_low, prekeys, prekey_state))
TABLE(log_grew, ONE(1, msg_log_grew, log, log_state))

TABLE(link_put, FIXED(1, msg_link_put, box), U32(2, msg_link_put, slot),
      BYTES(3, msg_link_put, bytes, LINK_PART_LEN_MAX), BOOL(4, msg_link_put, rejected))
TABLE(link_has, U32(1, msg_link_has, slots))
TABLE(link_get, FIXED(1, msg_link_get, box), U32(2, msg_link_get, slot))
TABLE(link_is, U32(1, msg_link_is, slots), BYTES(2, msg_link_is, bytes, LINK_PART_LEN_MAX))
TABLE(link_request, ONE(1, msg_link_request, device, device_record), FIXED(2, msg_link_request, ephemeral),
      BYTES(3, msg_link_request, name, DEVICE_NAME_LEN_MAX), U64(4, msg_link_request, made_ms))
TABLE(link_offer, U32(1, msg_link_offer, verdict), U32(2, msg_link_offer, part), U32(3, msg_link_offer, parts),
      BYTES(4, msg_link_offer, entry, ENTRY_LEN_MAX), BYTES(5, msg_link_offer, handle, HANDLE_LEN_MAX),
      ONE(6, msg_link_offer, log, log_state), MAYBE(7, msg_link_offer, device),
      BYTES(8, msg_link_offer, data, LINK_PART_LEN_MAX))
TABLE(link_consent, MAYBE(1, msg_link_consent, proof), BOOL(2, msg_link_consent, cancel))
TABLE(backup_put, U64(1, msg_backup_put, version), U64(2, msg_backup_put, previous),
      FIXED(3, msg_backup_put, id), U32(4, msg_backup_put, part), U32(5, msg_backup_put, of),
      BYTES(6, msg_backup_put, bytes, BACKUP_PART_LEN_MAX))
TABLE(backup_has, U64(1, msg_backup_has, version), MAYBE(2, msg_backup_has, id),
      U32(3, msg_backup_has, parts), U64(4, msg_backup_has, stored_ms),
      U64(5, msg_backup_has, coming_version), MAYBE(6, msg_backup_has, coming_id),
      U32(7, msg_backup_has, coming_parts), U64(8, msg_backup_has, older_version), MAYBE(9, msg_backup_has, older_id),
      U32(10, msg_backup_has, older_parts), U64(11, msg_backup_has, older_stored_ms))
TABLE(backup_get, U64(1, msg_backup_get, version), U32(2, msg_backup_get, part))
TABLE(backup_is, ONE(1, msg_backup_is, has, backup_has), BYTES(2, msg_backup_is, bytes, BACKUP_PART_LEN_MAX))

INNER(contact, msg_contact, FIXED(1, msg_contact, account), U32(2, msg_contact, verdict))
TABLE(contacts_set, U32(1, msg_contacts_set, mode),
      MANY(2, msg_contacts_set, items, item_count, CONTACTS_PER_SET, contact))
TABLE(contacts_kept, U64(1, msg_contacts_kept, version), U64(2, msg_contacts_kept, before))
TABLE(contacts_get, MAYBE(1, msg_contacts_get, after))
TABLE(contacts_are, U64(1, msg_contacts_are, version), U32(2, msg_contacts_are, mode),
      MANY(3, msg_contacts_are, items, item_count, CONTACTS_PER_PAGE, contact),
      BOOL(4, msg_contacts_are, more))
TABLE(contacts_changed, U64(1, msg_contacts_changed, version))

INNER(part, msg_part, FIXED(1, msg_part, device), U32(2, msg_part, len))
TABLE(send_item, FIXED(1, msg_send_item, id), FIXED(2, msg_send_item, target),
      U64(3, msg_send_item, key_version), MAYBE(4, msg_send_item, head),
      U64(5, msg_send_item, ttl_ms), U32(6, msg_send_item, attempt), BOOL(7, msg_send_item, sealed),
      MANY(8, msg_send_item, parts, part_count, DEVICES_PER_ACCOUNT, part),
      MAYBE(9, msg_send_item, commitment))
TABLE(receipt, FIXED(1, msg_receipt, store), FIXED(2, msg_receipt, term),
      U64(3, msg_receipt, commit), U32(4, msg_receipt, key_id), U64(5, msg_receipt, accepted_ms),
      FIXED(6, msg_receipt, mac))
INNER(lost_item, msg_lost_item, U32(1, msg_lost_item, index), ONE(2, msg_lost_item, receipt, receipt))
TABLE(send, VIEWS(1, msg_send, items, item_count, SENDS_PER_FRAME),
      MANY(2, msg_send, lost, lost_count, SENDS_PER_FRAME, lost_item))
INNER(accepted_part, msg_accepted_part, FIXED(1, msg_accepted_part, device),
      U32(2, msg_accepted_part, outcome), MAYBE(3, msg_accepted_part, term),
      U64(4, msg_accepted_part, seq))
TABLE(accepted, FIXED(1, msg_accepted, id), U32(2, msg_accepted, level),
      ONE(3, msg_accepted, receipt, receipt), U64(4, msg_accepted, expires_ms),
      MANY(5, msg_accepted, parts, part_count, DEVICES_PER_ACCOUNT, accepted_part),
      U64(6, msg_accepted, key_version))
TABLE(stale, ONE(1, msg_stale, log, log_state),
      MANY(2, msg_stale, missing, missing_count, DEVICES_PER_ACCOUNT, device_id_list),
      MANY(3, msg_stale, extra, extra_count, DEVICES_PER_ACCOUNT, device_id_list),
      MANY(4, msg_stale, changed, changed_count, DEVICES_PER_ACCOUNT, device_id_list),
      MANY(5, msg_stale, revoked, revoked_count, DEVICES_PER_ACCOUNT, device_id_list),
      VIEWS(6, msg_stale, entries, entry_count, ENTRIES_PER_FRAME))
INNER(sent_item, msg_sent_item, U32(1, msg_sent_item, status),
      BYTES(2, msg_sent_item, answer, 4096), BYTES(3, msg_sent_item, digest, 32),
      U32(4, msg_sent_item, retry_after_ms), MANY(5, msg_sent_item, stale, stale_count, 1, stale))
TABLE(sent, MANY(1, msg_sent, items, item_count, SENDS_PER_FRAME, sent_item))

INNER(delivery, msg_delivery, FIXED(1, msg_delivery, term), U64(2, msg_delivery, seq),
      FIXED(3, msg_delivery, sender_account), FIXED(4, msg_delivery, sender_device),
      FIXED(5, msg_delivery, target), FIXED(6, msg_delivery, id),
      U64(7, msg_delivery, accepted_ms), U32(8, msg_delivery, attempt), U32(9, msg_delivery, len),
      BOOL(10, msg_delivery, again), BOOL(11, msg_delivery, sealed),
      MAYBE(12, msg_delivery, commitment), U32(13, msg_delivery, stamp_key), MAYBE(14, msg_delivery, stamp),
      U64(15, msg_delivery, expires_ms))
INNER(gap, msg_gap, U32(1, msg_gap, reason), U64(2, msg_gap, count), MAYBE(3, msg_gap, term),
      U64(4, msg_gap, first), U64(5, msg_gap, last))
TABLE(deliver, ONE(1, msg_deliver, session, session_id),
      MANY(2, msg_deliver, items, item_count, DELIVERIES_PER_FRAME, delivery),
      MANY(3, msg_deliver, gaps, gap_count, GAPS_PER_FRAME, gap), U64(4, msg_deliver, gap_number))
INNER(failure, msg_failure, FIXED(1, msg_failure, term), U64(2, msg_failure, seq),
      U32(3, msg_failure, reason), BYTES(4, msg_failure, report, REPORT_LEN_MAX))
TABLE(ack, ONE(1, msg_ack, session, session_id), MAYBE(2, msg_ack, settled_term),
      U64(3, msg_ack, settled_seq), MAYBE(4, msg_ack, delivered_term),
      U64(5, msg_ack, delivered_seq),
      MANY(6, msg_ack, failed, failed_count, FAILURES_PER_ACK, failure), U64(7, msg_ack, gap_seen),
      BYTES(8, msg_ack, lineage, LINEAGE_MARK_LEN))
TABLE(acked, ONE(1, msg_acked, session, session_id), MAYBE(2, msg_acked, settled_term),
      U64(3, msg_acked, settled_seq), MAYBE(4, msg_acked, delivered_term),
      U64(5, msg_acked, delivered_seq))
INNER(status_ask, msg_status_ask, FIXED(1, msg_status_ask, target), FIXED(2, msg_status_ask, id))
TABLE(status, MANY(1, msg_status, items, item_count, STATUS_PER_FRAME, status_ask))
INNER(part_state, msg_part_state, FIXED(1, msg_part_state, device), U32(2, msg_part_state, state),
      U32(3, msg_part_state, outcome), U32(4, msg_part_state, reason),
      U64(5, msg_part_state, at_ms), BYTES(6, msg_part_state, report, REPORT_LEN_MAX),
      U32(7, msg_part_state, attempt))
TABLE(report_body, FIXED(1, msg_report_body, device), FIXED(2, msg_report_body, account),
      FIXED(3, msg_report_body, sender), FIXED(4, msg_report_body, target),
      FIXED(5, msg_report_body, id), U32(6, msg_report_body, attempt), U32(7, msg_report_body, cause),
      U64(8, msg_report_body, made_ms))
TABLE(report, BYTES(1, msg_report, body, REPORT_BODY_LEN_MAX), FIXED(2, msg_report, signature))
INNER(status_item, msg_status_item, U32(1, msg_status_item, status),
      FIXED(2, msg_status_item, target), FIXED(3, msg_status_item, id),
      MANY(4, msg_status_item, parts, part_count, DEVICES_PER_ACCOUNT, part_state))
TABLE(status_is, MANY(1, msg_status_is, items, item_count, STATUS_PER_FRAME, status_item))
INNER(hint_item, msg_hint_item, FIXED(1, msg_hint_item, target), FIXED(2, msg_hint_item, id),
      ONE(3, msg_hint_item, part, part_state))
TABLE(hint, MANY(1, msg_hint, items, item_count, HINTS_PER_FRAME, hint_item))
TABLE(terms, MAYBE(1, msg_terms, since))
INNER(term_end, msg_term_end, FIXED(1, msg_term_end, term), U64(2, msg_term_end, end),
      BOOL(3, msg_term_end, open))
TABLE(terms_are, FIXED(1, msg_terms_are, store),
      MANY(2, msg_terms_are, terms, term_count, TERMS_PER_FRAME, term_end),
      BOOL(3, msg_terms_are, complete))

INNER(worker_row, msg_worker_row, U32(1, msg_worker_row, role), FIXED(2, msg_worker_row, boot),
      MAYBE(3, msg_worker_row, store), MAYBE(4, msg_worker_row, term),
      U64(5, msg_worker_row, commit), U64(6, msg_worker_row, silence_ms),
      U64(7, msg_worker_row, pending), U64(8, msg_worker_row, sessions),
      U64(9, msg_worker_row, mailboxes), U64(10, msg_worker_row, queued_messages),
      U64(11, msg_worker_row, queued_bytes), U64(12, msg_worker_row, parked),
      U64(13, msg_worker_row, wakes), U64(14, msg_worker_row, commit_lag_us),
      U64(15, msg_worker_row, turns), U64(16, msg_worker_row, items),
      U32(17, msg_worker_row, state), U64(18, msg_worker_row, disk_free_percent),
      U64(19, msg_worker_row, accepted), U64(20, msg_worker_row, settled),
      U64(21, msg_worker_row, repeated), U64(22, msg_worker_row, skewed),
      U32(23, msg_worker_row, registration))
INNER(cut_row, msg_cut_row, U32(1, msg_cut_row, reason), U64(2, msg_cut_row, connections))
TABLE(overview, FIXED(1, msg_overview, boot), U64(2, msg_overview, uptime_ms),
      U64(3, msg_overview, connections), U64(4, msg_overview, sessions),
      U64(5, msg_overview, attached), U64(6, msg_overview, pending),
      U64(7, msg_overview, frames_in), U64(8, msg_overview, frames_out),
      U64(9, msg_overview, refused), U64(10, msg_overview, busy),
      U64(11, msg_overview, map_version), MANY(12, msg_overview, workers, worker_count, 64, worker_row),
      BOOL(13, msg_overview, draining), U64(14, msg_overview, undelivered),
      U64(15, msg_overview, accepted), U64(16, msg_overview, failed),
      U64(17, msg_overview, half_open), U64(18, msg_overview, stuck),
      MANY(19, msg_overview, cuts, cut_count, 32, cut_row),
      U64(20, msg_overview, limited), U64(21, msg_overview, cut),
      U64(22, msg_overview, ended), U64(23, msg_overview, ended_ms_max))
TABLE(event, U64(1, msg_event, at_ms), U32(2, msg_event, kind), U32(3, msg_event, code),
      U64(4, msg_event, count), U64(5, msg_event, value), MAYBE(6, msg_event, account),
      MAYBE(7, msg_event, device), MAYBE(8, msg_event, message), MAYBE(9, msg_event, store),
      MAYBE(10, msg_event, actor))
TABLE(events, BYTES(1, msg_events, cursor, 32), U32(2, msg_events, limit))
TABLE(events_are, BYTES(1, msg_events_are, cursor, 32),
      MANY(2, msg_events_are, events, event_count, EVENTS_PER_FRAME, event))
INNER(drift_version, msg_drift_version, U64(1, msg_drift_version, client_version),
      U64(2, msg_drift_version, refused), U64(3, msg_drift_version, lag_1), U64(4, msg_drift_version, lag_2),
      U64(5, msg_drift_version, lag_4), U64(6, msg_drift_version, repaired), U64(7, msg_drift_version, rounds),
      U64(8, msg_drift_version, latency_ms), U64(9, msg_drift_version, latency_ms_max))
INNER(drift_pair, msg_drift_pair, FIXED(1, msg_drift_pair, sender), FIXED(2, msg_drift_pair, target),
      U64(3, msg_drift_pair, client_version), U64(4, msg_drift_pair, refused), U64(5, msg_drift_pair, lag),
      U64(6, msg_drift_pair, first_ms), U64(7, msg_drift_pair, last_ms), BOOL(8, msg_drift_pair, open),
      BOOL(9, msg_drift_pair, stuck))
TABLE(drift_is, FIXED(1, msg_drift_is, store), U64(2, msg_drift_is, since_ms), U64(3, msg_drift_is, sent),
      U64(4, msg_drift_is, refused), U64(5, msg_drift_is, forgotten),
      MANY(6, msg_drift_is, versions, version_count, DRIFT_VERSIONS_MAX, drift_version),
      MANY(7, msg_drift_is, pairs, pair_count, DRIFT_PAIRS_MAX, drift_pair))
TABLE(explain, FIXED(1, msg_explain, sender), FIXED(2, msg_explain, target),
      FIXED(3, msg_explain, id), MAYBE(4, msg_explain, device))
INNER(explained_part, msg_explained_part, FIXED(1, msg_explained_part, device),
      U32(2, msg_explained_part, code), U32(3, msg_explained_part, state),
      U32(4, msg_explained_part, outcome), U32(5, msg_explained_part, reason),
      U64(6, msg_explained_part, at_ms), U64(7, msg_explained_part, payload_bytes),
      MAYBE(8, msg_explained_part, term), U64(9, msg_explained_part, seq),
      U64(10, msg_explained_part, last_seen_ms), U32(11, msg_explained_part, attempt),
      U32(12, msg_explained_part, cause), U64(13, msg_explained_part, client_version),
      U64(14, msg_explained_part, copied_ms))
TABLE(explained, U32(1, msg_explained, code), U64(2, msg_explained, accepted_ms),
      ONE(3, msg_explained, receipt, receipt), BOOL(4, msg_explained, has_receipt),
      MANY(5, msg_explained, parts, part_count, DEVICES_PER_ACCOUNT, explained_part),
      U64(6, msg_explained, key_version), U64(7, msg_explained, key_version_present))

TABLE(hold, MAYBE(1, msg_hold, account), MAYBE(2, msg_hold, device), U32(3, msg_hold, action),
      U32(4, msg_hold, reason), BYTES(5, msg_hold, cursor, HOLD_CURSOR_LEN_MAX))
INNER(hold_row, msg_hold_row, FIXED(1, msg_hold_row, account), MAYBE(2, msg_hold_row, device),
      U32(3, msg_hold_row, reason), U64(4, msg_hold_row, since_ms))
TABLE(holds_are, BOOL(1, msg_holds_are, changed),
      MANY(2, msg_holds_are, holds, hold_count, HOLD_ROWS_PER_FRAME * (DEVICES_EVER_MAX + 1), hold_row),
      BYTES(3, msg_holds_are, cursor, HOLD_CURSOR_LEN_MAX), BOOL(4, msg_holds_are, more))
TABLE(devices, BYTES(1, msg_devices, handle, HANDLE_LEN_MAX), MAYBE(2, msg_devices, account))
INNER(device_row, msg_device_row, FIXED(1, msg_device_row, device), U32(2, msg_device_row, standing),
      U64(3, msg_device_row, key_version), U64(4, msg_device_row, added_number),
      U64(5, msg_device_row, added_ms), U64(6, msg_device_row, last_seen_ms),
      U64(7, msg_device_row, client_version), BOOL(8, msg_device_row, attached),
      U64(9, msg_device_row, waiting), U64(10, msg_device_row, waiting_bytes),
      U64(11, msg_device_row, parked), U32(12, msg_device_row, hold), U64(13, msg_device_row, held_ms),
      U32(14, msg_device_row, prekeys), BOOL(15, msg_device_row, last_resort),
      U64(16, msg_device_row, copied), U64(17, msg_device_row, copied_ms), MAYBE(18, msg_device_row, mark))
TABLE(devices_are, FIXED(1, msg_devices_are, account), ONE(2, msg_devices_are, log, log_state),
      BOOL(3, msg_devices_are, has_recovery), U32(4, msg_devices_are, hold),
      U64(5, msg_devices_are, held_ms),
      MANY(6, msg_devices_are, devices, device_count, DEVICES_EVER_MAX, device_row),
      U64(7, msg_devices_are, split_ms), U64(8, msg_devices_are, split_number),
      U64(9, msg_devices_are, restored_ms), U64(10, msg_devices_are, restored), MAYBE(11, msg_devices_are, mark))

TABLE(ready, U32(1, msg_ready, role), FIXED(2, msg_ready, boot), MAYBE(3, msg_ready, store),
      MAYBE(4, msg_ready, term), U64(5, msg_ready, commit), U32(6, msg_ready, first),
      U32(7, msg_ready, last), U32(8, msg_ready, credit))
TABLE(peer, FIXED(1, msg_peer, boot), ONE(2, msg_peer, map, map),
      MAYBE(3, msg_peer, witness_term), U64(4, msg_peer, witness_commit))
TABLE(session, BOOL(1, msg_session, attached), U32(2, msg_session, credit_messages),
      U64(3, msg_session, credit_bytes), BYTES(4, msg_session, client_version, CLIENT_VERSION_LEN_MAX))
TABLE(closed, U32(1, msg_closed, reason))
TABLE(undelivered, FIXED(1, msg_undelivered, term), U64(2, msg_undelivered, seq),
      BOOL(3, msg_undelivered, gone))
TABLE(hint_device, FIXED(1, msg_hint_device, device),
      BYTES(2, msg_hint_device, hint, FRAME_META_LEN_MAX))
TABLE(heartbeat, ONE(1, msg_heartbeat, row, worker_row), ONE(2, msg_heartbeat, map, map))
TABLE(lease, U32(1, msg_lease, count), U64(2, msg_lease, lease_ms))
INNER(wake, msg_wake, FIXED(1, msg_wake, device), FIXED(2, msg_wake, account),
      U32(3, msg_wake, attempt), U64(4, msg_wake, waiting))
TABLE(leased, MANY(1, msg_leased, wakes, wake_count, WAKES_PER_LEASE, wake),
      BOOL(2, msg_leased, more))
INNER(wake_result, msg_wake_result, FIXED(1, msg_wake_result, device),
      FIXED(2, msg_wake_result, account), BOOL(3, msg_wake_result, sent),
      U64(4, msg_wake_result, retry_ms))
TABLE(woken, MANY(1, msg_woken, results, result_count, WAKES_PER_LEASE, wake_result))
TABLE(end_device, FIXED(1, msg_end_device, device), U64(2, msg_end_device, decided_ms))
TABLE(record, MANY(1, msg_record, events, event_count, EVENTS_PER_FRAME, event))

void frame_write(struct buffer *b, const struct frame_header *header,
                 const struct codec_desc *desc, const void *message)
{
    size_t start = frame_begin(b, header);
    codec_encode(desc, message, b);
    frame_meta_end(b, start);
}

void frame_write_error(struct buffer *b, uint64_t correlation, uint16_t home, enum status s,
                       uint32_t retry_after_ms)
{
    struct msg_error error = {.status = (uint32_t)s, .retry_after_ms = retry_after_ms};
    if (s == STATUS_UNSUPPORTED) {
        error.protocol_min = PROTOCOL_VERSION_MIN;
        error.protocol_max = PROTOCOL_VERSION_MAX;
    }
    frame_write(b, &(struct frame_header){.kind = KIND_ERROR, .correlation = correlation, .home = home},
                &msg_error_desc, &error);
}

struct msg_event msg_event_of(const struct event *e)
{
    return (struct msg_event){.at_ms = e->at_ms, .kind = (uint32_t)e->kind, .code = e->code,
                              .count = e->count, .value = e->value, .account = e->account,
                              .device = e->device, .message = e->message, .store = e->store, .actor = e->actor};
}

struct event event_of_msg(const struct msg_event *m)
{
    return (struct event){.at_ms = m->at_ms, .kind = (enum event_kind)m->kind, .code = m->code,
                          .count = m->count, .value = m->value, .account = m->account,
                          .device = m->device, .message = m->message, .store = m->store, .actor = m->actor};
}

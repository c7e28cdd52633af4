/* weight: what a request may cost a turn, from what it holds and not from what its header says. */
#include "storage/core.h"

static size_t report_count(const struct msg_ack *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->failed_count; i++)
        count += m->failed[i].report.len != 0;
    return count;
}

/* It may be held against each key. */
static size_t token_weight(struct view token)
{
    return token.len ? PRODUCT_KEYS_MAX : 0;
}

size_t request_weight(const struct request *r)
{
    size_t weight = 1;
    if (r->handler->kind == KIND_LOOKUP)
        weight = LOOKUP_WEIGHT + SIGNATURE_WEIGHT * ((const struct msg_lookup *)r->meta)->recovery_count;
    if (r->handler->kind == KIND_DEVICES) weight = LOOKUP_WEIGHT;
    if (r->handler->kind == KIND_BACKUP_PUT || r->handler->kind == KIND_BACKUP_GET) weight = BACKUP_WEIGHT;
    if (r->handler->kind == KIND_PUBLISH) weight = 2 * SIGNATURE_WEIGHT;
    if (r->handler->kind == KIND_CLAIM_HANDLE)
        weight = SIGNATURE_WEIGHT * (2 + token_weight(((const struct msg_claim_handle *)r->meta)->token));
    if (r->handler->kind == KIND_REGISTER)
        weight = SIGNATURE_WEIGHT * (1 + ((const struct msg_register *)r->meta)->entry_count +
                                     token_weight(((const struct msg_register *)r->meta)->token));
    if (r->handler->kind == KIND_APPEND)
        weight = SIGNATURE_WEIGHT * ((const struct msg_append *)r->meta)->entry_count;
    if (r->handler->kind == KIND_ACK) weight = 1 + SIGNATURE_WEIGHT * report_count(r->meta);
    if (r->handler->kind == KIND_SEND) weight = ((const struct msg_send *)r->meta)->item_count;
    if (r->handler->kind == KIND_STATUS) weight = ((const struct msg_status *)r->meta)->item_count;
    if (r->handler->kind == KIND_WOKEN) weight = ((const struct msg_woken *)r->meta)->result_count;
    if (r->handler->kind == KIND_CONTACTS_GET) weight = CONTACTS_WEIGHT;
    if (r->handler->kind == KIND_CONTACTS_SET) weight = ((const struct msg_contacts_set *)r->meta)->item_count;
    if (r->handler->kind == KIND_CLAIM_PREKEYS)
        weight = ((const struct msg_claim_prekeys *)r->meta)->device_count;
    return weight ? weight : 1;
}

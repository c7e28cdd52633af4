/* identity: making and checking signed entries, the first one's content, and handle claims. Used by relay and
 * clients alike; knows no store and no session. */
#include "broker/wire/identity.h"

#include <sodium.h>
#include <string.h>

static const char entry_label[] = "sealmq entry 1";
static const char handle_label[] = "sealmq handle 1";

#define SIGNED_LEN_MAX (sizeof entry_label + ENTRY_LEN_MAX)

struct device_id device_id_of(struct account_id account, const struct signing_pk *signing)
{
    struct hash256 h = hash_bytes("sealmq device 1", view_of(account.bytes, sizeof account.bytes),
                                  view_of(signing->bytes, sizeof signing->bytes), view_of(NULL, 0));
    struct device_id id;
    memcpy(id.bytes, h.bytes, sizeof id.bytes);
    return id;
}

static size_t signed_bytes(struct view body, uint8_t out[SIGNED_LEN_MAX])
{
    memcpy(out, entry_label, sizeof entry_label);
    memcpy(out + sizeof entry_label, body.at, body.len);
    return sizeof entry_label + body.len;
}

static bool is_zero(const uint8_t *at, size_t len)
{
    return sodium_is_zero(at, len) == 1;
}

enum status entry_open(struct view entry, struct arena *a, struct msg_entry *e,
                       struct msg_entry_body *body)
{
    memset(body, 0, sizeof *body);
    enum status s = codec_decode(&msg_entry_desc, entry, a, e);
    if (s == STATUS_OK) s = codec_decode(&msg_entry_body_desc, e->body, a, body);
    if (s == STATUS_OK && (!codec_encodes_to(&msg_entry_desc, e, entry) ||
                           !codec_encodes_to(&msg_entry_body_desc, body, e->body)))
        s = STATUS_BAD_ENTRY;
    if (s == STATUS_OK) return STATUS_OK;
    memset(e, 0, sizeof *e);
    memset(body, 0, sizeof *body);
    return s;
}

bool entry_signed_by(const struct msg_entry *e, const struct signing_pk *pk)
{
    uint8_t text[SIGNED_LEN_MAX];
    size_t len = signed_bytes(e->body, text);
    return crypto_sign_verify_detached(e->signature.bytes, text, len, pk->bytes) == 0;
}

void entry_make(const struct msg_entry_body *body, const uint8_t signing_sk[64], struct buffer *out)
{
    struct buffer encoded = {0};
    struct msg_entry entry = {0};
    uint8_t text[SIGNED_LEN_MAX];
    codec_encode(&msg_entry_body_desc, body, &encoded);
    entry.body = buffer_view(&encoded);
    size_t len = signed_bytes(entry.body, text);
    crypto_sign_detached(entry.signature.bytes, NULL, text, len, signing_sk);
    codec_encode(&msg_entry_desc, &entry, out);
    buffer_fini(&encoded);
}

/* The fields of a first entry, and no others. */
static bool is_founding(const struct msg_entry_body *b)
{
    return b->operation == ENTRY_CREATE && b->number == 0 && b->device_count == 1 && b->data.len == 0 &&
           is_zero(b->previous.bytes, sizeof b->previous.bytes) &&
           is_zero(b->signer.bytes, sizeof b->signer.bytes) &&
           is_zero(b->subject.bytes, sizeof b->subject.bytes) &&
           is_zero(b->proof.bytes, sizeof b->proof.bytes);
}

enum status founding_check(struct view entry, struct arena *a, struct founding *out)
{
    struct msg_entry e;
    struct msg_entry_body body;
    memset(out, 0, sizeof *out);
    enum status s = entry_open(entry, a, &e, &body);
    if (s != STATUS_OK) return s;
    if (!is_founding(&body) || !entry_signed_by(&e, &body.device->signing)) return STATUS_BAD_ENTRY;
    struct founding f = {.record = *body.device, .recovery = body.recovery};
    f.has_recovery = !is_zero(body.recovery.bytes, sizeof body.recovery.bytes);
    f.head = hash_bytes("sealmq account 1", entry, view_of(NULL, 0), view_of(NULL, 0));
    memcpy(f.account.bytes, f.head.bytes, sizeof f.account.bytes);
    f.device = device_id_of(f.account, &f.record.signing);
    *out = f;
    return STATUS_OK;
}

void founding_make(const struct msg_device_record *record, const uint8_t signing_sk[64],
                   uint64_t made_ms, const uint8_t salt[16], struct buffer *out)
{
    struct msg_entry_body body = {.operation = ENTRY_CREATE, .made_ms = made_ms, .device = record,
                                  .device_count = 1};
    memcpy(body.salt, salt, sizeof body.salt);
    entry_make(&body, signing_sk, out);
}

/* One UTF-8 sequence at the start of v (RFC 3629): its length, 0 where it is none. */
static size_t utf8_next(struct view v, uint32_t *code)
{
    static const struct { uint8_t mask, lead; size_t len; uint32_t min; } forms[] = {
        {0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};
    for (size_t i = 0; i < 4; i++) {
        if ((v.at[0] & forms[i].mask) != forms[i].lead) continue;
        if (v.len < forms[i].len) return 0;
        *code = v.at[0] & (uint8_t)~forms[i].mask;
        for (size_t k = 1; k < forms[i].len; k++) {
            if ((v.at[k] & 0xc0) != 0x80) return 0;
            *code = *code << 6 | (v.at[k] & 0x3f);
        }
        bool surrogate = *code >= 0xd800 && *code < 0xe000;
        return *code < forms[i].min || surrogate || *code > 0x10ffff ? 0 : forms[i].len;
    }
    return 0;
}

/* What a handle may not contain: controls, spaces of every kind, '/', and the characters that show
 * nothing or turn the text around, with which one handle could pass for another. */
static bool handle_refuses(uint32_t code)
{
    static const struct { uint32_t first, last; } ranges[] = {
        {0x00, 0x20}, {'/', '/'}, {0x7f, 0xa0}, {0xad, 0xad}, {0x61c, 0x61c}, {0x1680, 0x1680},
        {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return true;
    return false;
}

enum status handle_check(struct view handle)
{
    if (handle.len == 0 || handle.len > HANDLE_LEN_MAX) return STATUS_MALFORMED;
    while (handle.len) {
        uint32_t code = 0;
        size_t len = utf8_next(handle, &code);
        if (!len || handle_refuses(code)) return STATUS_MALFORMED;
        handle = view_of(handle.at + len, handle.len - len);
    }
    return STATUS_OK;
}

enum status device_name_check(struct view name)
{
    size_t start = 0;
    if (name.len == 0 || name.len > DEVICE_NAME_LEN_MAX) return STATUS_MALFORMED;
    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && name.at[i] != ' ') continue;
        if (handle_check(view_of(name.at + start, i - start)) != STATUS_OK) return STATUS_MALFORMED;
        start = i + 1;
    }
    return STATUS_OK;
}

static size_t handle_bytes(struct account_id account, struct view handle,
                           uint8_t out[sizeof handle_label + 32 + HANDLE_LEN_MAX])
{
    ENSURE(handle.len <= HANDLE_LEN_MAX);
    memcpy(out, handle_label, sizeof handle_label);
    memcpy(out + sizeof handle_label, account.bytes, sizeof account.bytes);
    memcpy(out + sizeof handle_label + sizeof account.bytes, handle.at, handle.len);
    return sizeof handle_label + sizeof account.bytes + handle.len;
}

void handle_sign(struct account_id account, struct view handle, const uint8_t signing_sk[64],
                 struct signature *out)
{
    uint8_t text[sizeof handle_label + 32 + HANDLE_LEN_MAX];
    size_t len = handle_bytes(account, handle, text);
    crypto_sign_detached(out->bytes, NULL, text, len, signing_sk);
}

enum status handle_verify(struct account_id account, struct view handle,
                          const struct signing_pk *pk, const struct signature *sig)
{
    uint8_t text[sizeof handle_label + 32 + HANDLE_LEN_MAX];
    if (handle_check(handle) != STATUS_OK) return STATUS_MALFORMED;
    size_t len = handle_bytes(account, handle, text);
    return crypto_sign_verify_detached(sig->bytes, text, len, pk->bytes) == 0 ? STATUS_OK
                                                                              : STATUS_BAD_ENTRY;
}

bool handle_proven(const struct msg_found *found, struct view handle, struct arena *a)
{
    struct founding f;
    return found->proof_count == 1 && founding_check(found->proof[0].entry, a, &f) == STATUS_OK &&
           memcmp(&f.account, &found->account, sizeof f.account) == 0 &&
           handle_verify(f.account, handle, &f.record.signing, &found->proof[0].signature) == STATUS_OK;
}

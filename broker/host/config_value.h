/* config_value: the table of all entries of sealmq.zpl, and how one entry's text becomes a field of
 * struct config. Private to broker/host. */
#ifndef SEALMQ_HOST_CONFIG_VALUE_H
#define SEALMQ_HOST_CONFIG_VALUE_H

#include "broker/host/config.h"

#define CONFIG_RULES_MAX 64

struct config_rule {
    const char *section, *key;
    /* set: fills the field from text; a relative path lies below base. False = not what is
     * expected, *c unchanged. */
    bool (*set)(const struct config_rule *r, const char *text, const char *base, struct config *c);
    size_t at;            /* offset of the field in struct config */
    const char *fallback; /* the text when the entry is absent; NULL = it must be there */
    size_t fallback_base; /* offset of the folder that a relative fallback lies below */
    uint64_t min, max;    /* numbers: limits, before the factor */
    uint64_t factor;
    const char *expected; /* the end of "…: expected …"; NULL for numbers: the limits */
};

/* Ordered: a rule's fallback_base is the field of an earlier rule. */
extern const struct config_rule config_rules[];
extern const size_t config_rule_count;

/* config_rule_find: the rule's place, or config_rule_count. */
size_t config_rule_find(const char *section, const char *key);
/* config_section_known: whether any rule is in it. */
bool config_section_known(const char *section);
/* config_expected: "a number from 1 to 9", or the rule's own words. */
void config_expected(const struct config_rule *r, char *out, size_t cap);

#endif

/* wire_vectors: the frozen vectors of tests/vectors by name, and the check of a frame against one; what the vector
 * tests share. A name that the file does not have fails the test. */
#ifndef SEALMQ_TESTS_WIRE_VECTORS_H
#define SEALMQ_TESTS_WIRE_VECTORS_H

#include "broker/wire/messages.h"

/* What tests decode into; reset by vectors_unload. */
extern struct arena arena;

void vectors_load(void);
void vectors_unload(void);

/* vector_at: the one at this place in the file. false = there are no more. */
bool vector_at(size_t place, const char **name, struct view *value);

/* The value of a type each; FIXED checks the length. */
struct view hex(const char *name);
const char *text(const char *name);
uint64_t number(const char *name);
void fixed(const char *name, void *out, size_t len);
#define FIXED(name, out) fixed(name, &(out), sizeof(out))
/* home: a number that is a partition. */
uint16_t home(const char *name);

/* is, IS: what was made has exactly the bytes of the vector. */
void is(struct view got, const char *name);
#define IS(struct_, name) is(view_of(&(struct_), sizeof(struct_)), name)

struct expected {
    const char *name;
    struct frame_header header;
    enum frame_from from;
    const struct codec_desc *desc;
    struct view body;
};

/* check_frame: made from the message it is the vector; read back it gives the same bytes. */
void check_frame(const struct expected *x, const void *message);

#endif

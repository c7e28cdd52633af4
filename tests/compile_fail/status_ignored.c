/* A status that nobody looks at. expect: warn_unused_result */
#include "broker/wire/codec.h"

bool well_formed(const struct codec_desc *desc, struct view in, struct arena *a, void *out);

bool well_formed(const struct codec_desc *desc, struct view in, struct arena *a, void *out)
{
#ifdef WRONG
    codec_decode(desc, in, a, out);
    return true;
#else
    return codec_decode(desc, in, a, out) == STATUS_OK;
#endif
}

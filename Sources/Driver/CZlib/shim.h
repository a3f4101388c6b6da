/* zlib: raw deflate (RFC 1951) for permessage-deflate. */
#ifndef FANFARE_CZLIB_SHIM_H
#define FANFARE_CZLIB_SHIM_H

#include <zlib.h>

#endif

/* The digests of OpenSSL's libcrypto: SHA-1 for Sec-WebSocket-Accept, MD5 for draft-hixie-76. */
#ifndef FANFARE_CLIBCRYPTO_SHIM_H
#define FANFARE_CLIBCRYPTO_SHIM_H

#include <openssl/evp.h>

#endif

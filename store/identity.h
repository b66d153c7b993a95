/* stub */
#ifndef NEAP_STORE_IDENTITY_H
#define NEAP_STORE_IDENTITY_H
#include "store/batch.h"
#endif

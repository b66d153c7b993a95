/* What each type's file gives to the table in types.c; nobody else includes this. */
#ifndef NEAP_CRDT_TYPE_OPS_H
#define NEAP_CRDT_TYPE_OPS_H
#include "crdt/types.h"
#endif

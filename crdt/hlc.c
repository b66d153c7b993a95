#include "crdt/hlc.h"

/* Random histories of one type: two to five replicas edit two cells and exchange them, late, out of
 * order and more than once, each with what its sender knows. An oracle that keeps nothing but the
 * list of events, and sets of them as bits, says what every cell must hold and what its value is.
 */
#ifndef NEAP_TEST_HISTORY_H
#define NEAP_TEST_HISTORY_H
#include "crdt/types.h"

enum { HISTORY_WHY_SIZE = 200 };

/* One history, the same for the same seed. False when something does not hold: ret_why says what.
 *
 * After every step, for the acting replica: the cell has exactly the dots that the events which it
 * knows explain, and their value; its encoding is canonical. For three random replicas the merge of
 * their cells is commutative, associative and idempotent, byte by byte. At the end all replicas are
 * equal, nothing of what they know is left as residue, a dot that one of them loses comes back, and
 * a payload damaged on one of them is the same on both sides of a merge. */
bool history_has(unsigned type); /* are there histories of it? */
bool history_run(enum neap_type type, uint64_t seed, char ret_why[HISTORY_WHY_SIZE]);
#endif

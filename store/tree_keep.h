/* The tree of a shard on disk, so that a restart after a clean close needs no build: the parts of a
 * snapshot (store/merkle.h), and a head that says that they are whole and of the cells as they are
 * now. Whoever changes a cell deletes it, in the batch of the change; so after a crash there is
 * none, unless nothing had changed. A snapshot that is damaged, or not of this shard's context, is
 * none: then the tree is built. */
#ifndef NEAP_STORE_TREE_KEEP_H
#define NEAP_STORE_TREE_KEEP_H
#include "store/store.h"

/* Before a cell changes. Costs nothing but the first time after an opening or a save; a rollback of
 * the batch takes it back. */
int tree_drop(struct shard *shard, struct batch *batch);
/* Those of all shards: what is on disk may be of no state that there ever was (a suspect start). */
int trees_drop(struct batch *batch);
/* At opening, into a tree that is not ready, and is if this succeeds. What fails is not told: the
 * tree is built then. */
void tree_load(struct shard *shard, const struct view *view);
/* At a clean close, when no batch is open: of every tree that is ready, in commits of some 256
 * KiB; whole and durable on return. Writes after it are fine. On error some may lack theirs. */
int trees_save(struct store *store);
#endif

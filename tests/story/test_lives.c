/* Directories that are not what they were. */
#include "store/identity.h"
#include "tests/story/story.h"

enum { A, B, C };

static struct story story;

TEST(a_rollback_is_found_at_first_contact)
{
    struct disk *image;
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    CHECK_OK(disk_mem_copy(story.world.nodes[A].disk, &image));
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    story_replace(&story, A, image);
    disk_close(image);
    story_cut(&story, A, B, true);
    sim_start(&story.world, A);
    story_do(&story, A, "incr pears 1");
    story_forget(&story);
    story_cut(&story, A, B, false);
    story_run(&story, 9000);
    story_show_all(&story, "apples");
    story_show_all(&story, "pears");
    story_told(&story, NULL,
               "- A and B can talk again\n"
               "B sim://A: disconnected\n"
               "A box: new replica id, rolled back, 1 events\n"
               "A sim://B: pull box\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pushed box\n"
               "A sim://B: too old to pull box, and the tree is not ready\n"
               "A sim://B: pull box\n"
               "A sim://B: too old to pull box, compare\n"
               "A sim://B: compare box\n"
               "A sim://B: compare 1 of 16 leaves of box\n"
               "A sim://B: compared box\n"
               "A has apples: 2\n"
               "B has apples: 2\n"
               "A has pears: 1\n"
               "B has pears: 1\n");
    CHECK_EQUAL(story_counted(&story, A, "rollbacks"), 1);
    story_end(&story, true);
}

TEST(a_directory_from_before_the_bucket_was_made_does_not_make_it_again)
{
    struct disk *image;
    story_meet(&story, 3);
    CHECK_OK(disk_mem_copy(story.world.nodes[A].disk, &image));
    story_do(&story, A, "incr apples 1");
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    story_replace(&story, A, image);
    disk_close(image);
    story_isolate(&story, B, true);
    story_isolate(&story, C, true);
    sim_start(&story.world, A);
    story_do(&story, A, "incr pears 1");
    story_do(&story, A, "incr pears 1");
    sim_stop(&story.world, A); /* the next opening does not know of this one */
    sim_start(&story.world, A);
    story_forget(&story);
    story_isolate(&story, B, false);
    story_isolate(&story, C, false);
    story_run(&story, 9000);
    story_show_all(&story, "apples");
    story_show_all(&story, "pears");
    story_told(&story, NULL,
               "B no longer isolated\n"
               "C no longer isolated\n"
               "A sim://B: pull box\n"
               "A sim://B: push box 1..2\n"
               "A sim://B: not ready to give box\n"
               "B sim://A: pull box\n"
               "B sim://A: pulled box\n"
               "B sim://A: pulled all of box\n"
               "C sim://B: pull box\n"
               "A box: replica id confirmed\n"
               "A sim://C: pull box\n"
               "A sim://C: push box 1..2\n"
               "C sim://A: pushed box\n"
               "C sim://B: pulled nothing new of box\n"
               "A sim://C: too old to pull box, compare\n"
               "A sim://C: compare box\n"
               "A sim://C: compare 1 of 16 leaves of box\n"
               "A sim://C: compared box\n"
               "A has apples: 2\n"
               "B has apples: 2\n"
               "C has apples: 2\n"
               "A has pears: 2\n"
               "B has pears: 2\n"
               "C has pears: 2\n");
    story_end(&story, true);
}

TEST(what_was_written_before_all_confirmed_waits_and_then_takes_a_new_id)
{
    story_meet(&story, 3);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    sim_stop(&story.world, C);
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_do(&story, A, "incr apples 1");
    story_forget(&story);
    story_run(&story, 500);
    story_show(&story, B, "apples");
    story_run(&story, 1500);
    story_show(&story, B, "apples");
    CHECK_EQUAL(story_counted(&story, A, "redotted"), 1);
    sim_start(&story.world, C);
    story_run(&story, 5000);
    story_show(&story, C, "apples");
    story_told(&story, NULL,
               "B has apples: 1\n"
               "A box: new replica id, not all confirmed it, 1 events\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pushed box\n"
               "B has apples: 2\n"
               "C starts\n"
               "A sim://C: push box 1..1\n"
               "C box: replica id confirmed\n"
               "C sim://B: pull box\n"
               "C sim://A: pushed box\n"
               "C sim://B: pulled nothing new of box\n"
               "C has apples: 2\n");
    story_end(&story, true);
}

/* As `neap backup` will write it: without the life, so that it opens under an id of its own. */
static struct disk *backup_of(size_t node)
{
    struct disk *backup;
    struct batch *batch;
    CHECK_OK(disk_mem_copy(story.world.nodes[node].disk, &backup));
    CHECK_OK(batch_new(backup, &batch));
    struct view view = batch_view(batch);
    CHECK_OK(identity_forget_life(&view, batch));
    CHECK_OK(backup->ops->commit(backup, batch, true));
    batch_free(batch);
    return backup;
}

TEST(a_restored_backup_goes_on_under_a_new_id_and_nothing_counts_twice)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_do(&story, A, "add tags ripe");
    story_run(&story, 3000);
    struct disk *backup = backup_of(A);
    story_do(&story, A, "incr apples 10");
    story_do(&story, A, "remove tags ripe");
    story_run(&story, 3000);
    story_forget(&story);
    sim_stop(&story.world, A);
    world_note(&story.world, "A is restored from a backup");
    story_replace(&story, A, backup);
    sim_start(&story.world, A);
    story_show(&story, A, "apples");
    story_do(&story, A, "incr apples 100"); /* before it has met anybody */
    story_run(&story, 6000);
    story_show_all(&story, "apples");
    story_show_all(&story, "tags");
    story_told(&story, NULL,
               "A stops\n"
               "- A is restored from a backup\n"
               "A starts\n"
               "A has apples: 1\n"
               "A incr apples 100\n"
               "B sim://A: disconnected\n"
               "A sim://B: pull box\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pushed box\n"
               "A sim://B: too old to pull box, and the tree is not ready\n"
               "A sim://B: pull box\n"
               "A sim://B: too old to pull box, compare\n"
               "A sim://B: compare box\n"
               "A sim://B: compare 2 of 16 leaves of box\n"
               "A sim://B: compared box\n"
               "A has apples: 111\n"
               "B has apples: 111\n"
               "A has tags: nothing\n"
               "B has tags: nothing\n");
    disk_close(backup);
    story_end(&story, true);
}

TEST(of_a_directory_and_its_copy_each_goes_on_as_itself)
{
    story_meet(&story, 3);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    sim_stop(&story.world, B);
    story_forget(&story);
    world_note(&story.world, "B gets a copy of A's directory");
    story_replace(&story, B, story.world.nodes[A].disk);
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_do(&story, A, "incr apples 10");
    story_do(&story, B, "incr apples 100");
    story_run(&story, 9000);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "- B gets a copy of A's directory\n"
               "A starts\n"
               "B starts\n"
               "A incr apples 10\n"
               "C sim://A: disconnected\n"
               "C sim://B: disconnected\n"
               "B incr apples 100\n"
               "B sim://A: push box 1..1\n"
               "A box: replica id confirmed\n"
               "A sim://B: pushed box\n"
               "B sim://C: push box 1..1\n"
               "C sim://B: pushed box\n"
               "A sim://B: push box 2..2\n"
               "A sim://C: push box 2..2\n"
               "C sim://A: pushed box\n"
               "B sim://A: pushed box\n"
               "A has apples: 111\n"
               "B has apples: 111\n"
               "C has apples: 111\n");
    story_end(&story, true);
}

TEST(a_wiped_disk_gets_everything_back_from_the_others)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_do(&story, B, "add tags ripe");
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    story_forget(&story);
    world_note(&story.world, "A has a new disk");
    story_replace(&story, A, NULL);
    sim_start(&story.world, A);
    story_do(&story, A, "incr apples 10");
    story_show_all(&story, "apples");
    story_run(&story, 6000);
    story_show_all(&story, "apples");
    story_show_all(&story, "tags");
    story_told(&story, NULL,
               "- A has a new disk\n"
               "A starts\n"
               "A incr apples 10\n"
               "B sim://A: disconnected\n"
               "A has apples: 10\n"
               "B has apples: 1\n"
               "A sim://B: pull box\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pushed box\n"
               "A sim://B: too old to pull box, compare\n"
               "A sim://B: compare box\n"
               "A sim://B: compare 2 of 16 leaves of box\n"
               "A sim://B: compared box\n"
               "A has apples: 11\n"
               "B has apples: 11\n"
               "A has tags: ripe\n"
               "B has tags: ripe\n");
    story_end(&story, true);
}

/* A alone counts 1, and 5 after a restart: nobody has confirmed those. */
static void count_alone(void)
{
    story_begin(&story, &(struct world_options){.nodes = 2});
    sim_start(&story.world, A);
    story_do(&story, A, "incr apples 1");
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_do(&story, A, "incr apples 5");
}

TEST(what_nobody_confirmed_counts_once_in_a_directory_and_its_copy)
{
    count_alone();
    sim_stop(&story.world, A);
    story_replace(&story, B, story.world.nodes[A].disk);
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_forget(&story);
    story_run(&story, 9000);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "A box: replica id confirmed\n"
               "A sim://B: push box 2..2\n"
               "B box: 1 events were told before\n"
               "B box: new replica id, not the first directory, 0 events\n"
               "A has apples: 6\n"
               "B has apples: 6\n");
    story_end(&story, true);
}

TEST(what_nobody_confirmed_counts_once_in_a_backup_that_is_restored_elsewhere)
{
    struct disk *backup;
    count_alone();
    backup = backup_of(A);
    story_replace(&story, B, backup);
    disk_close(backup);
    sim_start(&story.world, B);
    story_run(&story, 9000);
    story_do(&story, A, "incr apples 10");
    story_do(&story, B, "incr apples 20");
    story_run(&story, 9000);
    story_forget(&story);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "A has apples: 36\n"
               "B has apples: 36\n");
    story_end(&story, true);
}

/* A and B know 1. A counts 5 after a restart, cut off from B. */
static void count_cut_off(size_t nodes)
{
    story_meet(&story, nodes);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    if (nodes > 2)
        sim_stop(&story.world, C);
    story_cut(&story, A, B, true);
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_do(&story, A, "incr apples 5");
}

static void replace_A(struct disk *image, bool suspect)
{
    story_cut(&story, A, B, false);
    story_run(&story, 9000);
    sim_stop(&story.world, A);
    story_replace(&story, A, image);
    disk_close(image);
    story.world.nodes[A].door.suspect = suspect;
    sim_start(&story.world, A);
    story_forget(&story);
    story_run(&story, 9000);
    story_show_all(&story, "apples");
}

static const char told_before[] = "B sim://A: disconnected\n"
                                  "A box: 1 events were told before\n"
                                  "A box: new replica id, not the first directory, 0 events\n"
                                  "A has apples: 6\n"
                                  "B has apples: 6\n";

TEST(what_nobody_had_confirmed_counts_once_in_a_backup_that_is_restored_in_place)
{
    count_cut_off(2);
    replace_A(backup_of(A), false);
    story_told(&story, NULL, told_before);
    story_end(&story, true);
}

TEST(what_nobody_had_confirmed_counts_once_in_a_damaged_directory)
{
    struct disk *image;
    count_cut_off(2);
    CHECK_OK(disk_mem_copy(story.world.nodes[A].disk, &image));
    replace_A(image, true);
    story_told(&story, NULL, told_before);
    story_end(&story, true);
}

/* A did not wait for C, and gave the event another name. Its backup finds the same name. */
TEST(what_was_renamed_after_a_backup_counts_once_in_it)
{
    count_cut_off(3);
    replace_A(backup_of(A), false);
    story_told(&story, NULL,
               "B sim://A: disconnected\n"
               "A box: new replica id, another directory did, 1 events\n"
               "A has apples: 6\n"
               "B has apples: 6\n");
    sim_start(&story.world, C);
    story_run(&story, 9000);
    story_end(&story, true);
}

TEST(what_was_renamed_after_a_directory_went_back_to_counts_once)
{
    struct disk *image;
    count_cut_off(3);
    CHECK_OK(disk_mem_copy(story.world.nodes[A].disk, &image));
    replace_A(image, false);
    story_told(&story, NULL,
               "B sim://A: disconnected\n"
               "A box: new replica id, another directory did, 1 events\n"
               "A has apples: 6\n"
               "B has apples: 6\n");
    sim_start(&story.world, C);
    story_run(&story, 9000);
    story_end(&story, true);
}

/* Of A's id, B heard what a later start of A told: that the backup's own events came before it, B
 * knows by its log. */
TEST(a_backup_from_before_another_start_counts_once)
{
    struct disk *backup;
    count_cut_off(2);
    backup = backup_of(A);
    story_cut(&story, A, B, false);
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_run(&story, 3000);
    story_do(&story, A, "incr apples 10");
    replace_A(backup, false);
    story_told(&story, NULL,
               "B sim://A: disconnected\n"
               "A box: 1 events were told before\n"
               "A box: new replica id, rolled back, 0 events\n"
               "A sim://B: pull box\n"
               "A sim://B: too old to pull box, and the tree is not ready\n"
               "A sim://B: pull box\n"
               "A sim://B: too old to pull box, compare\n"
               "A sim://B: compare box\n"
               "A sim://B: compare 1 of 16 leaves of box\n"
               "A sim://B: compared box\n"
               "A has apples: 16\n"
               "B has apples: 16\n");
    story_end(&story, true);
}

/* The original counts on, in one total with what the backup has. */
TEST(a_restored_backup_does_not_count_on_in_what_others_may_have_been_told)
{
    struct disk *backup;
    count_cut_off(2);
    backup = backup_of(A);
    story_cut(&story, A, B, false);
    story_run(&story, 3000);
    story_do(&story, A, "incr apples 10");
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    story_replace(&story, A, backup);
    disk_close(backup);
    story_cut(&story, A, B, true);
    sim_start(&story.world, A);
    story_do(&story, A, "incr apples 2");
    story_cut(&story, A, B, false);
    story_run(&story, 9000);
    story_forget(&story);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "A has apples: 18\n"
               "B has apples: 18\n");
    story_end(&story, true);
}

/* B has the removal from A's cell alone, by a pull that was cut short, and is asked for it again;
 * then A's disk is lost. The others have it by B's event, and no repair has to tell them. */
TEST(a_removal_that_was_known_of_one_cell_alone_is_kept_by_who_repeats_it)
{
    story_begin(&story,
                &(struct world_options){.seed = 7, .nodes = 3, .log_max = 1000, .chunk_size = 200});
    for (size_t i = A; i <= C; i++)
        sim_start(&story.world, i);
    story_do(&story, A, "add tags ripe");
    story_run(&story, 3000);
    story_cut(&story, A, B, true);
    story_cut(&story, B, C, true);
    story_do(&story, A, "add tags ripe");
    for (char words[] = "incr a 1"; words[5] < 'z'; words[5]++)
        story_do(&story, A, words);
    story_run(&story, 3000);
    story_cut(&story, A, C, true);
    story_do(&story, A, "remove tags ripe");
    story_run(&story, 9000); /* what was under way is lost */
    story.world.ways[A][B].bytes_per_s = 1000;
    story_cut(&story, A, B, false);
    while (sim_shard(&story.world, B, "box")->residues_count == 0)
        story_run(&story, 1);
    story_cut(&story, A, B, true);
    story_forget(&story);
    story_show_all(&story, "tags");
    story_do(&story, B, "remove tags ripe");
    sim_stop(&story.world, A);
    world_note(&story.world, "A has lost its disk");
    story_replace(&story, A, NULL);
    sim_start(&story.world, A);
    story_cut(&story, B, C, false);
    story_cut(&story, A, B, false);
    story_cut(&story, A, C, false);
    story_forget(&story);
    story_run(&story, 12000);
    story_show_all(&story, "tags");
    story_told(&story, NULL,
               "B sim://A: disconnected\n"
               "A box: made, a peer has it\n"
               "A sim://C: pull box\n"
               "A sim://C: too old to pull box, compare\n"
               "A sim://C: compare box\n"
               "A sim://C: compared box\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: pushed box\n"
               "B sim://C: pull box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled box\n"
               "B sim://C: pulled all of box\n"
               "C sim://B: pull box\n"
               "C sim://B: pulled box\n"
               "C sim://B: pulled all of box\n"
               "A has tags: nothing\n"
               "B has tags: nothing\n"
               "C has tags: nothing\n");
    story_end(&story, true);
}

/* C may have heard from a future that A has lost: what A's earlier ids have is not spent before C
 * has been met, though B is there. What A gets from now on is. */
TEST(rights_of_before_a_restart_wait_for_all_members)
{
    story_meet(&story, 3);
    story_do(&story, A, "stock apples 10");
    story_run(&story, 3000);
    sim_stop(&story.world, C);
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_do(&story, A, "stock apples 1");
    story_run(&story, 9000);
    story_forget(&story);
    story_do(&story, A, "stock apples -5");
    story_forget(&story); /* it said that it may use 1 */
    story_show(&story, A, "apples");
    story_do(&story, A, "stock apples -1");
    sim_start(&story.world, C);
    story_run(&story, 9000);
    story_do(&story, A, "stock apples -5");
    story_run(&story, 3000);
    story_show_all(&story, "apples");
    story_told(&story, "A",
               "A has apples: 11\n"
               "A stock apples -1\n"
               "A sim://B: push box 2..2\n"
               "A sim://C: push box 1..2\n"
               "A stock apples -5\n"
               "A sim://B: push box 3..3\n"
               "A sim://C: push box 3..3\n"
               "A has apples: 5\n");
    story_end(&story, true);
}

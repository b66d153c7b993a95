"""The Python binding does what neap.h says: run by tests/api/python.sh, prints TAP."""

import json
import os
import sys
import tempfile
import threading
import traceback

import neap

APPLES, TAGS, NAME, NOTES, OPEN = (("shop", key) for key in ("apples", "tags", "name", "notes", "open"))
cases = []


def case(function):
    """Runs on both kinds of handle."""
    cases.append(function)
    return function


def raises(code, function, *words, **call):
    try:
        function(*words, **call)
    except neap.Error as error:
        assert error.code == code, error
        return error
    raise AssertionError("%s is not raised" % code)


@case
def values_of_all_types_go_in_and_come_out(db):
    db.counter_add(APPLES, 3)
    db.counter_add(APPLES, -1)
    assert db.counter_get(APPLES) == 2
    db.lww_set(NAME, b"a\0b")
    assert db.lww_get(NAME) == b"a\0b"
    db.lww_set(NAME, "gr\u00fcn")
    assert db.lww_get(NAME) == "gr\u00fcn".encode()
    assert db.flag_get(OPEN) is False
    db.flag_set(OPEN, True)
    assert db.flag_get(OPEN) is True
    for tag in ("sweet", "red", b""):
        db.set_add(TAGS, tag)
    assert db.set_has(TAGS, "red") and not db.set_has(TAGS, "sour")
    db.set_remove(TAGS, "red")
    assert [item.name for item in db.items(TAGS, neap.Type.SET)] == [b"", b"sweet"]
    assert db.count(TAGS, neap.Type.SET) == 2
    db.remove(TAGS, neap.Type.SET)
    assert db.count(TAGS, neap.Type.SET) == 0
    assert [(item.type, item.name) for item in db.keys("shop")] == [
        (neap.Type.COUNTER, b"apples"), (neap.Type.LWW, b"name"), (neap.Type.FLAG, b"open")]


@case
def a_watch_tells_what_changes(db):
    db.lww_set(NAME, "red")
    kind = neap.ChangeKind
    with db.watch("shop") as watch:
        told = [watch.next(1000) for _ in range(3)]
        assert [change.kind for change in told] == [kind.ALL_BEGIN, kind.CHANGED, kind.ALL_END]
        assert told[1].key == b"name" and told[1].item.value == b"red"
        assert watch.next(1) is None
        token = watch.token()
    db.counter_add(NAME + ("x", "y"), 5)
    with db.watch("shop", resume=token) as watch:
        change = watch.next(1000)
        assert (change.key, change.fields, change.item.number) == (b"name", (b"x", b"y"), 5)
        assert watch.next(1) is None
    raises(neap.Code.STALE, db.watch, "other", resume=token)


@case
def items_of_any_type_are_copied(db):
    there, here = ("shop", "there"), ("shop", "here")
    db.counter_exact_add(there, 5)
    db.max_set(there, 7)
    db.min_set(there, -7)
    db.flag_dw_set(there, True)
    db.set_rw_add(there, "red")
    db.lww_set(there, "green")
    for type in neap.Type:
        for item in db.values(there, type) if neap.type_holds(type) else ():
            db.put(here, type, item)
    assert db.counter_exact_get(here) == 5
    assert (db.max_get(here), db.min_get(here)) == (7, -7)
    assert db.flag_dw_get(here) and db.set_rw_has(here, "red")
    assert db.lww_get(here) == b"green"
    assert neap.type_name(neap.Type.SET_RW) == "set-rw" and neap.type_name(0) is None
    assert neap.type_named("max") == neap.Type.MAX and neap.type_named("none") == neap.Type.ANY


@case
def fields_of_maps_are_places(db):
    dog = neap.Place("pets", b"dog")
    db.lww_set(dog.field("owner", "name"), "ann")
    db.counter_add(("pets", "dog", "visits"), 7)
    assert db.lww_get(("pets", "dog", "owner", "name")) == b"ann"
    assert [item.name for item in db.items(dog, neap.Type.MAP)] == [b"owner", b"visits"]
    db.remove(dog, neap.Type.ANY)
    assert list(db.items(dog, neap.Type.MAP)) == []


@case
def tokens_say_what_was_seen(db):
    token = neap.Token()
    db.register_set(NOTES, "one")
    assert [item.value for item in db.register_values(NOTES, ret_token=token)] == [b"one"]
    db.register_set(NOTES, "two")
    assert len(token) == len(bytes(token)) > 0
    db.register_set(NOTES, "three", seen=token)
    assert sorted(item.value for item in db.register_values(NOTES)) == [b"three", b"two"]
    db.counter_add(APPLES, 1, ret_token=token)
    db.wait(token)
    assert db.counter_get(APPLES, after=bytes(token)) == 1
    db.counter_add(APPLES, 1, submit=True, ret_token=token)
    db.wait(token)
    assert db.counter_get(APPLES) == 2


@case
def a_number_of_nodes_is_asked_for(db):
    db.counter_add(APPLES, 1, w=1)
    assert db.counter_get(APPLES, r=1, pr=1) == 1
    raises(neap.Code.UNAVAILABLE, db.counter_add, APPLES, 1, pw=2)
    raises(neap.Code.UNAVAILABLE, db.counter_get, APPLES, r=2)
    raises(neap.Code.INVALID, db.counter_get, APPLES, w=1)
    assert db.counter_get(APPLES) == 1


@case
def an_id_makes_a_repeat_harmless(db):
    for _ in range(3):
        db.counter_add(APPLES, 5, once=b"7c0d")
    assert db.counter_get(APPLES) == 5
    raises(neap.Code.INVALID, db.counter_add, APPLES, 6, once=b"7c0d")
    made = db.once()
    assert made != db.once()
    for _ in range(3):
        db.counter_add(APPLES, 5, once=made)
    assert db.counter_get(APPLES) == 10
    raises(neap.Code.STALE, db.counter_add, APPLES, 5, once=b"neap1-0123456789abcdef" + made[22:])


@case
def a_batch_is_committed_at_the_end_of_a_with(db):
    with db.batch(flags=neap.NOSYNC) as batch:
        db.counter_add(APPLES, 3, batch=batch)
        db.set_add(TAGS, "sweet", batch=batch)
        assert db.counter_get(APPLES) == 0
    assert db.counter_get(APPLES) == 3 and db.set_has(TAGS, "sweet")
    try:
        with db.batch() as batch:
            db.counter_add(APPLES, 3, batch=batch)
            raise KeyError
    except KeyError:
        pass
    assert db.counter_get(APPLES) == 3


@case
def errors_have_codes_and_words(db):
    error = raises(neap.Code.NOTFOUND, db.lww_get, ("shop", "nothing"))
    assert error.text and str(error).startswith("NOTFOUND: ") and not error.maybe
    db.counter_add(APPLES, 2**63 - 1)
    error = raises(neap.Code.LIMIT, db.counter_add, APPLES, 1)
    assert "apples" in error.text and "64 bits" in str(error) and not error.maybe
    assert raises(neap.Code.INVALID, db.lww_get, NAME, seen=b"x").text
    assert neap.Error(neap.Code.UNCERTAIN).maybe
    for bad in (2**63, -2**63 - 1):
        try:
            db.counter_add(APPLES, bad)
        except OverflowError:
            continue
        raise AssertionError("%d is taken" % bad)
    for words, kind in ((dict(levle=3), TypeError), (dict(size=3), TypeError)):
        try:
            db.counter_add(APPLES, 1, **words)
        except kind:
            continue
        raise AssertionError("%r is taken" % words)


@case
def an_iterator_goes_on_where_another_one_was(db):
    with db.batch() as batch:
        for number in range(3000):
            db.set_add(TAGS, "%04d" % number, batch=batch)
    with db.items(TAGS, neap.Type.SET) as items:
        for _ in range(1234):
            next(items)
        token = items.token()
    assert next(db.items(TAGS, neap.Type.SET, resume=token)).name == b"1234"
    assert next(db.items(TAGS, neap.Type.SET, "2000")).name == b"2000"
    assert sum(1 for _ in db.items(TAGS, neap.Type.SET)) == 3000


@case
def types_are_known_by_name(db):
    assert neap.type_name(neap.Type.COUNTER) == "counter" and neap.type_name(1000) is None
    assert neap.type_named("set") is neap.Type.SET and neap.type_named("none such") is neap.Type.ANY
    assert neap.type_holds(neap.Type.MAP) == neap.Holds.FIELDS
    db.counter_add(APPLES, 5)
    db.set_add(TAGS, "sweet")
    for at, kind in ((APPLES, neap.Type.COUNTER), (TAGS, neap.Type.SET)):
        items = list(db.values(at, kind))
        assert len(items) == 1
        db.put(("copy",) + at[1:], kind, items[0])
        assert list(db.values(("copy",) + at[1:], kind)) == items
    db.put(NAME, neap.Type.LWW, {"value": "ann"})
    assert db.lww_get(NAME) == b"ann"


@case
def scores_have_an_order(db):
    board = ("shop", "sellers")
    for name, score in (("ann", 5), ("bob", 9), ("cid", 7)):
        db.score_set(board, name, score)
    db.score_add(board, "ann", 3)
    assert db.score_get(board, "ann") == 8 and db.score_rank(board, "ann") == 1
    assert [(item.name, item.number) for item in db.scores(board, 2**63 - 1, 8)] == [
        (b"bob", 9), (b"ann", 8)]
    raises(neap.Code.NOTFOUND, db.score_get, board, "dan")


@case
def bounded_counters_have_rights_and_values_an_end(db):
    seats = ("shop", "seats")
    db.bounded_add(seats, 5)
    db.bounded_add(seats, -2)
    assert db.bounded_get(seats) == 3
    rights = db.bounded_rights(seats)
    assert (rights.value, rights.here) == (3, 3)
    assert "seats" in raises(neap.Code.NORIGHTS, db.bounded_add, seats, -4).text
    db.lww_set(NAME, "soon gone", ttl_ms=neap.TTL_MS_MAX)
    assert db.lww_get(NAME) == b"soon gone"


@case
def operators_ask_in_words(db):
    db.counter_add(APPLES, 1)
    assert json.loads(db.admin(["digest", "shop"]))
    assert "status" in raises(neap.Code.INVALID, db.admin, ["no-such-verb"]).text
    assert any(item.name == b"writes" and item.number >= 1 for item in db.stats())
    db.sync()


@case
def threads_share_a_handle(db):
    def work():
        for _ in range(100):
            db.counter_add(APPLES, 1, flags=neap.NOSYNC)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.counter_get(APPLES) == 400


def closing_ends_what_is_left(folder):
    with neap.open() as db:
        db.set_add(TAGS, "sweet")
        items, batch = db.items(TAGS, neap.Type.SET), db.batch()
    assert list(items) == [] and batch._handle is None
    db.close()
    raises(neap.Code.INVALID, db.counter_get, APPLES)


def a_directory_stays_and_a_backup_is_one(folder):
    data, backup = os.path.join(folder, "data"), os.path.join(folder, "backup")
    with neap.open(data) as db:
        db.counter_add(APPLES, 3)
        assert json.loads(db.backup(backup))["files"] > 0
        raises(neap.Code.LOCKED, neap.open, data)
    assert json.loads(neap.backup_verify(backup))["whole"] is True
    neap.restore(backup, data + "2")
    with neap.open(data + "2", flags=neap.READONLY) as db:
        assert db.counter_get(APPLES) == 3
        raises(neap.Code.REFUSED, db.counter_add, APPLES, 1)
    assert "nothing-there" in raises(neap.Code.NOTFOUND, neap.open, folder + "/nothing-there", flags=0).text
    raises(neap.Code.UNAVAILABLE, neap.connect, folder + "/nobody")


def each_function_of_the_header_is_there(folder):
    by_hand = {name for name in neap.FUNCTIONS if name not in neap.PARTS}
    for name in neap.PARTS:
        owner, rest = neap.Neap if neap.PARTS[name][0] == "self" else neap, name[len("neap_"):]
        for prefix, made in (("batch_", neap.Batch), ("iter_", neap.Iter), ("watch_", neap.Watch)):
            if rest.startswith(prefix):
                owner, rest = made, rest[len(prefix):]
        assert callable(getattr(owner, rest)), name
    assert by_hand == {"neap_" + name for name in (
        "options_init open connect close batch_new batch_free next iter_free backup_verify restore "
        "strerror version buffer_free watch_next watch_free").split()}, by_hand
    assert neap.version() == os.environ.get("NEAP_VERSION", neap.version())


def run(name, function, *words):
    run.count += 1
    try:
        function(*words)
        print("ok %d - %s" % (run.count, name))
    except Exception:  # whatever it is, the next case has its turn
        run.failed = True
        print("not ok %d - %s" % (run.count, name))
        print("".join("# %s\n" % line for line in traceback.format_exc().splitlines()), end="")
    sys.stdout.flush()


def main():
    run.count, run.failed = int(sys.argv[1]), False
    for function in cases:
        with neap.open() as db:
            run("local: " + function.__name__, function, db)
        with tempfile.TemporaryDirectory() as folder:
            socket = os.path.join(folder, "socket")
            with neap.open(socket=socket) as _, neap.connect(socket) as db:
                run("remote: " + function.__name__, function, db)
    for function in (closing_ends_what_is_left, a_directory_stays_and_a_backup_is_one,
                     each_function_of_the_header_is_there):
        with tempfile.TemporaryDirectory() as folder:
            run(function.__name__, function, folder)
    print("1..%d" % run.count)
    sys.exit(run.failed)


main()

"""neap: data that many machines write at once, and that agrees again. The whole of neap.h.

    import neap

    with neap.open("shop.neap") as db:           # or neap.connect("/run/neap/neap.sock")
        apples = ("shop", "apples")              # bucket, key, and fields of a map
        db.counter_add(apples, 3)
        print(db.counter_get(apples))            # 3
        for item in db.keys("shop"):
            print(item.type.name, item.name)     # COUNTER b'apples'

Every function neap_X(neap, ...) of neap.h is a method X() of Neap; what it gives by ret_ parameters is
what the method returns. neap.h is the manual; help(neap.Neap) has most of it.

Places are tuples (bucket, key, field...), or neap.Place objects, which are made once and used often.
Keys, fields, elements and values go in as bytes, or as str, which is encoded in UTF-8; they come out as
bytes.

Fields of struct neap_call are keywords of the methods: level, timeout_ms, batch, after, seen, submit,
flags, resume, once, ret_token. Tokens are bytes; ret_token takes a neap.Token, which is bytes once the
call has returned:

    token = neap.Token()
    values = [item.value for item in db.register_values(place, ret_token=token)]
    db.register_set(place, merged(values), seen=token)

Errors are neap.Error: code (a neap.Code), text, and maybe: True when a write may have happened. Then it
can be done again if it was given an id before (once=), or does no harm twice.

The library is found as $NEAP_LIBRARY, or where the system has libneap. Threads may share a Neap; an
iterator and a batch belong to one at a time. A call lets other threads of Python run meanwhile.
"""

import collections
import ctypes
import ctypes.util
import enum
import functools
import os
import weakref
from ctypes import (POINTER, Structure, byref, c_char, c_char_p, c_double, c_int, c_int64, c_size_t,
                    c_uint, c_uint16, c_uint32, c_uint64, c_void_p)

# ---- from neap.h, by generate.py: change nothing here ----

class Code(enum.IntEnum):
    OK = 0
    END = -1
    NOMEM = -2
    INVALID = -3
    NOTFOUND = -4
    LIMIT = -5
    BUSY = -6
    LOCKED = -7
    REFUSED = -8
    NORIGHTS = -9
    STALE = -10
    UNAVAILABLE = -11
    UNCERTAIN = -12
    CORRUPT = -13
    IO = -14
    FORMAT = -15


class Type(enum.IntEnum):
    ANY = 0
    REGISTER = 1
    LWW = 2
    FLAG = 3
    COUNTER = 4
    SET = 5
    MAP = 6
    MAX = 7
    MIN = 8
    FLAG_DW = 9
    COUNTER_EXACT = 10
    BOUNDED = 11
    SET_RW = 12
    SCORES = 13


class Holds(enum.IntEnum):
    VALUE = 1
    VALUES = 2
    NUMBER = 4
    SWITCH = 8
    ELEMENTS = 16
    FIELDS = 32


class Level(enum.IntEnum):
    BUCKET_DEFAULT = 0
    EDGE = 1
    ONE = 2
    QUORUM = 3
    ALL = 4
    LOCAL_QUORUM = 5
    EACH_QUORUM = 6
    SESSION = 7


class ChangeKind(enum.IntEnum):
    CHANGED = 1
    GONE = 2
    ALL_BEGIN = 3
    ALL_END = 4


TTL_MS_MAX = 3155760000000
KEY_MAX = 1024
PATH_MAX = 4096
DEPTH_MAX = 16
VALUE_MAX = 1048576
BUCKET_MAX = 255
SIBLINGS_MAX = 64
BATCH_COUNT_MAX = 65536
BATCH_BYTES_MAX = 8388608
ONCE_MAX = 64
ONCE_COUNT = 262144
TIMEOUT_MS = 5000
CREATE = 1
NOSYNC = 2
READONLY = 4

# Codes with which a write may have happened.
MAYBE = (Code.UNCERTAIN, Code.IO)


class neap_bytes(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("size", c_size_t),
    ]


class neap_buffer(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("size", c_size_t),
        ("room", c_size_t),
    ]


class neap_error(Structure):
    _fields_ = [
        ("code", c_int),
        ("text", c_char * 256),
    ]


class neap_options(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("path", c_char_p),
        ("cluster", c_char_p),
        ("listen", c_char_p),
        ("peers", c_char_p),
        ("memory_max", c_size_t),
        ("flags", c_uint),
        ("sync_ms", c_uint),
        ("socket", c_char_p),
        ("log_max", c_uint64),
        ("bulk_max", c_uint64),
        ("scrub_s", c_uint),
        ("scrub_max", c_uint),
        ("socket_users", c_char_p),
        ("socket_mode", c_uint),
        ("subscribe", c_char_p),
        ("advertise", c_char_p),
        ("name", c_char_p),
        ("zone", c_char_p),
        ("weight", c_uint),
        ("retire_after_s", c_uint64),
    ]


class neap_place(Structure):
    _fields_ = [
        ("bucket", c_char_p),
        ("key", neap_bytes),
        ("fields", POINTER(neap_bytes)),
        ("fields_count", c_size_t),
    ]


class neap_call(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("level", c_int),
        ("timeout_ms", c_uint32),
        ("batch", c_void_p),
        ("after", neap_bytes),
        ("seen", neap_bytes),
        ("ret_token", POINTER(neap_buffer)),
        ("submit", c_int),
        ("flags", c_uint),
        ("ret_error", POINTER(neap_error)),
        ("resume", neap_bytes),
        ("once", neap_bytes),
        ("ttl_ms", c_uint64),
        ("r", c_uint16),
        ("pr", c_uint16),
        ("w", c_uint16),
        ("pw", c_uint16),
    ]


class neap_rights(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("value", c_int64),
        ("here", c_int64),
        ("waits", c_int),
        ("mine", c_uint64),
        ("most", c_int64),
        ("who", c_uint64),
    ]


class neap_item(Structure):
    _fields_ = [
        ("type", c_int),
        ("name", neap_bytes),
        ("value", neap_bytes),
        ("number", c_int64),
        ("expires_ms", c_uint64),
    ]


class neap_change(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_int),
        ("at", neap_place),
        ("item", neap_item),
    ]


# Name: what it returns, its parameters.
FUNCTIONS = {
    "neap_options_init": (None, [POINTER(neap_options)]),
    "neap_open": (c_int, [POINTER(neap_options), POINTER(c_void_p), POINTER(neap_error)]),
    "neap_connect": (c_int, [c_char_p, POINTER(c_void_p), POINTER(neap_error)]),
    "neap_close": (None, [c_void_p]),
    "neap_sync": (c_int, [c_void_p]),
    "neap_wait": (c_int, [c_void_p, neap_bytes, POINTER(neap_call)]),
    "neap_lww_set": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(neap_call)]),
    "neap_lww_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(neap_buffer),
        POINTER(neap_call)]),
    "neap_register_set": (c_int, [c_void_p, POINTER(neap_place), neap_bytes,
        POINTER(neap_call)]),
    "neap_register_values": (c_int, [c_void_p, POINTER(neap_place), POINTER(neap_call),
        POINTER(c_void_p)]),
    "neap_flag_set": (c_int, [c_void_p, POINTER(neap_place), c_int, POINTER(neap_call)]),
    "neap_flag_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(c_int),
        POINTER(neap_call)]),
    "neap_counter_add": (c_int, [c_void_p, POINTER(neap_place), c_int64, POINTER(neap_call)]),
    "neap_counter_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(c_int64),
        POINTER(neap_call)]),
    "neap_bounded_add": (c_int, [c_void_p, POINTER(neap_place), c_int64, POINTER(neap_call)]),
    "neap_bounded_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(c_int64),
        POINTER(neap_call)]),
    "neap_bounded_rights": (c_int, [c_void_p, POINTER(neap_place), POINTER(neap_rights),
        POINTER(neap_call)]),
    "neap_bounded_give": (c_int, [c_void_p, POINTER(neap_place), c_int64, c_uint64,
        POINTER(neap_call)]),
    "neap_bounded_claim": (c_int, [c_void_p, POINTER(neap_place), c_uint64,
        POINTER(neap_call)]),
    "neap_set_add": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(neap_call)]),
    "neap_set_remove": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(neap_call)]),
    "neap_set_has": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(c_int),
        POINTER(neap_call)]),
    "neap_flag_dw_set": (c_int, [c_void_p, POINTER(neap_place), c_int, POINTER(neap_call)]),
    "neap_flag_dw_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(c_int),
        POINTER(neap_call)]),
    "neap_counter_exact_add": (c_int, [c_void_p, POINTER(neap_place), c_int64,
        POINTER(neap_call)]),
    "neap_counter_exact_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(c_int64),
        POINTER(neap_call)]),
    "neap_max_set": (c_int, [c_void_p, POINTER(neap_place), c_int64, POINTER(neap_call)]),
    "neap_min_set": (c_int, [c_void_p, POINTER(neap_place), c_int64, POINTER(neap_call)]),
    "neap_max_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(c_int64),
        POINTER(neap_call)]),
    "neap_min_get": (c_int, [c_void_p, POINTER(neap_place), POINTER(c_int64),
        POINTER(neap_call)]),
    "neap_set_rw_add": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(neap_call)]),
    "neap_set_rw_remove": (c_int, [c_void_p, POINTER(neap_place), neap_bytes,
        POINTER(neap_call)]),
    "neap_set_rw_has": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(c_int),
        POINTER(neap_call)]),
    "neap_values": (c_int, [c_void_p, POINTER(neap_place), c_int, POINTER(neap_call),
        POINTER(c_void_p)]),
    "neap_put": (c_int, [c_void_p, POINTER(neap_place), c_int, POINTER(neap_item),
        POINTER(neap_call)]),
    "neap_score_set": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, c_int64,
        POINTER(neap_call)]),
    "neap_score_add": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, c_int64,
        POINTER(neap_call)]),
    "neap_score_remove": (c_int, [c_void_p, POINTER(neap_place), neap_bytes,
        POINTER(neap_call)]),
    "neap_score_get": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(c_int64),
        POINTER(neap_call)]),
    "neap_score_rank": (c_int, [c_void_p, POINTER(neap_place), neap_bytes, POINTER(c_uint64),
        POINTER(neap_call)]),
    "neap_scores": (c_int, [c_void_p, POINTER(neap_place), c_int64, c_int64, POINTER(neap_call),
        POINTER(c_void_p)]),
    "neap_count": (c_int, [c_void_p, POINTER(neap_place), c_int, POINTER(c_uint64),
        POINTER(neap_call)]),
    "neap_remove": (c_int, [c_void_p, POINTER(neap_place), c_int, POINTER(neap_call)]),
    "neap_once": (c_int, [c_void_p, POINTER(neap_buffer), POINTER(neap_call)]),
    "neap_batch_new": (c_int, [c_void_p, POINTER(c_void_p)]),
    "neap_batch_commit": (c_int, [c_void_p, POINTER(neap_call)]),
    "neap_batch_free": (None, [c_void_p]),
    "neap_keys": (c_int, [c_void_p, c_char_p, neap_bytes, POINTER(neap_call),
        POINTER(c_void_p)]),
    "neap_items": (c_int, [c_void_p, POINTER(neap_place), c_int, neap_bytes, POINTER(neap_call),
        POINTER(c_void_p)]),
    "neap_stats": (c_int, [c_void_p, POINTER(c_void_p)]),
    "neap_next": (c_int, [c_void_p, POINTER(neap_item), c_uint32]),
    "neap_iter_token": (c_int, [c_void_p, POINTER(neap_buffer)]),
    "neap_iter_free": (None, [c_void_p]),
    "neap_watch": (c_int, [c_void_p, c_char_p, POINTER(neap_call), POINTER(c_void_p)]),
    "neap_watch_next": (c_int, [c_void_p, POINTER(neap_change), c_uint32]),
    "neap_watch_token": (c_int, [c_void_p, POINTER(neap_buffer)]),
    "neap_watch_free": (None, [c_void_p]),
    "neap_backup": (c_int, [c_void_p, c_char_p, POINTER(neap_buffer), POINTER(neap_call)]),
    "neap_backup_verify": (c_int, [c_char_p, POINTER(neap_buffer), POINTER(neap_error)]),
    "neap_restore": (c_int, [c_char_p, c_char_p, POINTER(neap_buffer), POINTER(neap_error)]),
    "neap_admin": (c_int, [c_void_p, c_int, POINTER(c_char_p), POINTER(neap_buffer),
        POINTER(neap_call)]),
    "neap_subscribe": (c_int, [c_void_p, c_char_p, POINTER(neap_call)]),
    "neap_unsubscribe": (c_int, [c_void_p, c_char_p, POINTER(neap_call)]),
    "neap_strerror": (c_char_p, [c_int]),
    "neap_type_name": (c_char_p, [c_int]),
    "neap_type_named": (c_int, [c_char_p]),
    "neap_type_holds": (c_uint, [c_int]),
    "neap_version": (c_char_p, []),
    "neap_buffer_free": (None, [POINTER(neap_buffer)]),
}

# What the methods do with each parameter.
PARTS = {
    "neap_sync": ("self",),
    "neap_wait": ("self", "data", "call"),
    "neap_lww_set": ("self", "place", "data", "call"),
    "neap_lww_get": ("self", "place", "bytes", "call"),
    "neap_register_set": ("self", "place", "data", "call"),
    "neap_register_values": ("self", "place", "call", "iter"),
    "neap_flag_set": ("self", "place", "number", "call"),
    "neap_flag_get": ("self", "place", "bool", "call"),
    "neap_counter_add": ("self", "place", "number", "call"),
    "neap_counter_get": ("self", "place", "out c_int64", "call"),
    "neap_bounded_add": ("self", "place", "number", "call"),
    "neap_bounded_get": ("self", "place", "out c_int64", "call"),
    "neap_bounded_rights": ("self", "place", "out neap_rights", "call"),
    "neap_bounded_give": ("self", "place", "number", "number", "call"),
    "neap_bounded_claim": ("self", "place", "number", "call"),
    "neap_set_add": ("self", "place", "data", "call"),
    "neap_set_remove": ("self", "place", "data", "call"),
    "neap_set_has": ("self", "place", "data", "bool", "call"),
    "neap_flag_dw_set": ("self", "place", "number", "call"),
    "neap_flag_dw_get": ("self", "place", "bool", "call"),
    "neap_counter_exact_add": ("self", "place", "number", "call"),
    "neap_counter_exact_get": ("self", "place", "out c_int64", "call"),
    "neap_max_set": ("self", "place", "number", "call"),
    "neap_min_set": ("self", "place", "number", "call"),
    "neap_max_get": ("self", "place", "out c_int64", "call"),
    "neap_min_get": ("self", "place", "out c_int64", "call"),
    "neap_set_rw_add": ("self", "place", "data", "call"),
    "neap_set_rw_remove": ("self", "place", "data", "call"),
    "neap_set_rw_has": ("self", "place", "data", "bool", "call"),
    "neap_values": ("self", "place", "number", "call", "iter"),
    "neap_put": ("self", "place", "number", "item", "call"),
    "neap_score_set": ("self", "place", "data", "number", "call"),
    "neap_score_add": ("self", "place", "data", "number", "call"),
    "neap_score_remove": ("self", "place", "data", "call"),
    "neap_score_get": ("self", "place", "data", "out c_int64", "call"),
    "neap_score_rank": ("self", "place", "data", "out c_uint64", "call"),
    "neap_scores": ("self", "place", "number", "number", "call", "iter"),
    "neap_count": ("self", "place", "number", "out c_uint64", "call"),
    "neap_remove": ("self", "place", "number", "call"),
    "neap_once": ("self", "bytes", "call"),
    "neap_batch_commit": ("self", "call"),
    "neap_keys": ("self", "text", "data", "call", "iter"),
    "neap_items": ("self", "place", "number", "data", "call", "iter"),
    "neap_stats": ("self", "iter"),
    "neap_iter_token": ("self", "bytes"),
    "neap_watch": ("self", "text", "call", "watch"),
    "neap_watch_token": ("self", "bytes"),
    "neap_backup": ("self", "text", "bytes", "call"),
    "neap_admin": ("self", "words", "argv", "bytes", "call"),
    "neap_subscribe": ("self", "text", "call"),
    "neap_unsubscribe": ("self", "text", "call"),
    "neap_type_name": ("number",),
    "neap_type_named": ("text",),
    "neap_type_holds": ("number",),
}


def type_name(type):
    """ "lww", as `neap` and JSON name a type; NULL when this library has no such type."""
    return _ask("neap_type_name", (type,), None)


def type_named(name):
    """The type of that name; NEAP_ANY when there is none. NULL is none."""
    return _ask("neap_type_named", (name,), Type)


def type_holds(type):
    """Of enum neap_holds, or'ed; 0 when this library has no such type."""
    return _ask("neap_type_holds", (type,), None)


class _NeapCalls:
    def sync(self):
        """What was written through this node and returned before this call, with NEAP_NOSYNC too,
        is durable when it returns."""
        return _run(self, "neap_sync", (), None)

    def wait(self, token, **call):
        """Waits until this node has all that the token names, and as many others as the call says;
        and if a submitted write is in it, until that has ended: its error, if any, is returned as
        this call's. Of the call: level, w, pw, timeout_ms, ret_error."""
        return _run(self, "neap_wait", (token,), call)

    def lww_set(self, at, value, **call):
        """Sets the value at a place, of up to NEAP_VALUE_MAX bytes; with seen only what was seen is
        replaced at once, which makes a difference only to who wins."""
        return _run(self, "neap_lww_set", (at, value), call)

    def lww_get(self, at, **call):
        """The value into ret_value."""
        return _run(self, "neap_lww_get", (at,), call)

    def register_set(self, at, value, **call):
        """Adds a value of up to NEAP_VALUE_MAX bytes. Without seen it becomes a sibling of whatever
        is there; with it, it replaces the values that the token covers: pass the token of the
        neap_register_values() whose values it is made from."""
        return _run(self, "neap_register_set", (at, value), call)

    def register_values(self, at, **call):
        """The values of a register, one item each: type and value. None is no error."""
        return _run(self, "neap_register_values", (at,), call)

    def flag_set(self, at, on, **call):
        """Switches a flag on (not 0) or off."""
        return _run(self, "neap_flag_set", (at, on), call)

    def flag_get(self, at, **call):
        """1 or 0 into *ret_on."""
        return _run(self, "neap_flag_get", (at,), call)

    def counter_add(self, at, change, **call):
        """Adds to a counter; change may be negative. Takes no seen."""
        return _run(self, "neap_counter_add", (at, change), call)

    def counter_get(self, at, **call):
        """The sum of all additions into *ret_value."""
        return _run(self, "neap_counter_get", (at,), call)

    def bounded_add(self, at, change, **call):
        """Adds to a bounded counter, or, below 0, takes from it: of the rights that this node has.
        Takes no seen. What is added is this node's to take."""
        return _run(self, "neap_bounded_add", (at, change), call)

    def bounded_get(self, at, **call):
        """The value into *ret_value: 0 or more, but see BOUNDED above."""
        return _run(self, "neap_bounded_get", (at,), call)

    def bounded_rights(self, at, **call):
        """Who has rights to take from it, into *ret_rights, whose size is set."""
        return _run(self, "neap_bounded_rights", (at,), call)

    def bounded_give(self, at, amount, to, **call):
        """Gives rights, 1 or more, to another replica id: `mine` of neap_bounded_rights() there.
        They are of no use to anybody else, and what an id is given that its node has left is found
        again by that node alone: it takes it along when it has met all its peers."""
        return _run(self, "neap_bounded_give", (at, amount, to), call)

    def bounded_claim(self, at, from_, **call):
        """Takes all rights of another replica id, `from`, whose directory is lost or has been
        replaced by a backup, and whose rights nobody can spend otherwise. That it writes no more is
        your word: if it does, or if two nodes claim the same, the same rights are spent twice."""
        return _run(self, "neap_bounded_claim", (at, from_), call)

    def set_add(self, at, element, **call):
        """Adds an element to a set, or makes sure that it stays. Costs the same for sets of any
        size."""
        return _run(self, "neap_set_add", (at, element), call)

    def set_remove(self, at, element, **call):
        """Removes an element; with seen only as it was seen. One that is not in is no error."""
        return _run(self, "neap_set_remove", (at, element), call)

    def set_has(self, at, element, **call):
        """1 or 0 into *ret_in."""
        return _run(self, "neap_set_has", (at, element), call)

    def flag_dw_set(self, at, on, **call):
        """The same with disable-wins (NEAP_FLAG_DW): an object of its own."""
        return _run(self, "neap_flag_dw_set", (at, on), call)

    def flag_dw_get(self, at, **call):
        return _run(self, "neap_flag_dw_get", (at,), call)

    def counter_exact_add(self, at, change, **call):
        """Adds to an exact counter; change may be negative. Takes no seen, but neap_remove()
        does."""
        return _run(self, "neap_counter_exact_add", (at, change), call)

    def counter_exact_get(self, at, **call):
        """The sum of the additions that no removal has seen, into *ret_value."""
        return _run(self, "neap_counter_exact_get", (at,), call)

    def max_set(self, at, value, **call):
        """Makes a number the largest at a place, or the smallest, if it leads further than what is
        there; else nothing is written. Doing it twice does no harm."""
        return _run(self, "neap_max_set", (at, value), call)

    def min_set(self, at, value, **call):
        return _run(self, "neap_min_set", (at, value), call)

    def max_get(self, at, **call):
        """The largest number, or the smallest, into *ret_value."""
        return _run(self, "neap_max_get", (at,), call)

    def min_get(self, at, **call):
        return _run(self, "neap_min_get", (at,), call)

    def set_rw_add(self, at, element, **call):
        """As neap_set_add(), neap_set_remove() and neap_set_has(), of a set where removals win
        (NEAP_SET_RW): an object of its own. The removal of an element that is not in counts as
        well, and so is a write."""
        return _run(self, "neap_set_rw_add", (at, element), call)

    def set_rw_remove(self, at, element, **call):
        return _run(self, "neap_set_rw_remove", (at, element), call)

    def set_rw_has(self, at, element, **call):
        return _run(self, "neap_set_rw_has", (at, element), call)

    def values(self, at, type, **call):
        """What is at a place, of whatever type, as items: of a type that NEAP_HOLDS_ELEMENTS or
        _FIELDS the same as neap_items() gives, of all others one item for each value: type, and
        what neap_type_holds() says: value, or number; and expires_ms. None is no error."""
        return _run(self, "neap_values", (at, type), call)

    def put(self, at, type, item, **call):
        """Writes an item at a place, as neap_values() gave it, of whatever type: sets the value,
        adds the number or the element, switches on. Not looked at are item->type and
        item->expires_ms: with ttl_ms it has a time to live. Of what neap_keys() and neap_items()
        give, fields of maps are written by going down to them."""
        return _run(self, "neap_put", (at, type, item), call)

    def score_set(self, at, member, score, **call):
        """Sets the score of a member, which is in from then on."""
        return _run(self, "neap_score_set", (at, member, score), call)

    def score_add(self, at, member, change, **call):
        """Adds to the score of a member; change may be negative. One that is not in begins with 0.
        Takes no seen."""
        return _run(self, "neap_score_add", (at, member, change), call)

    def score_remove(self, at, member, **call):
        """Removes a member; with seen only as it was seen. One that is not in is no error."""
        return _run(self, "neap_score_remove", (at, member), call)

    def score_get(self, at, member, **call):
        """The score of a member into *ret_score. One that nodes who did not know of each other have
        brought out of 64 bits is INT64_MAX or INT64_MIN, here and wherever scores are compared."""
        return _run(self, "neap_score_get", (at, member), call)

    def score_rank(self, at, member, **call):
        """How many members come before this one, from the highest score down: 0 for the first. Of
        equal scores the member that is less by memcmp() comes first. Walks those that are before
        it, 0.3 microseconds each; of a large set most ranks near the end cost that times its
        size."""
        return _run(self, "neap_score_rank", (at, member), call)

    def scores(self, at, high, low, **call):
        """The members with scores from `high` down to `low`, in that order, one item each: type,
        name, and the score in number. INT64_MAX and INT64_MIN stand for all. Costs what it gives,
        however large the set. A member whose score changes while the iterator is under way may come
        twice, or not. In the order of their names neap_items() gives them. Of the call: as
        neap_items(), but resume."""
        return _run(self, "neap_scores", (at, high, low), call)

    def count(self, at, type, **call):
        """How many: elements of a set, fields of a map (one for each name and type), values of a
        register; for other types 1 or 0, whether there is one. The first count of a set or map with
        more than 64 of them walks all, half a microsecond each, while other calls go on; from then
        on the node keeps the number, however many there are. What had changed before a crash is
        walked once more; so is every count of a node opened with NEAP_READONLY."""
        return _run(self, "neap_count", (at, type), call)

    def remove(self, at, type, **call):
        """Removes the object or field of this type, or with NEAP_ANY those of all types; sets and
        maps with all that is in them, for which it costs what writing them has cost. With seen only
        what was seen. Nothing there is no error."""
        return _run(self, "neap_remove", (at, type), call)

    def once(self, **call):
        """Makes up an id for once, printable, into ret_id: as good as one of your own, but it
        counts nowhere twice, see AGAIN above. Of the call: timeout_ms, ret_error."""
        return _run(self, "neap_once", (), call)

    def keys(self, bucket, from_=b"", **call):
        """The objects of a bucket, one item for each key and type that holds something: type, name,
        and in value and number what is at hand: the value of an LWW (up to NEAP_VALUE_MAX bytes),
        the first value of a register and how many it has, the number of a counter (INT64_MAX when
        it does not fit), 1 for a flag. Starts at the key `from`, or at what follows it; {NULL, 0}
        is the first. With resume it goes on after an item of an earlier listing of this bucket, on
        this node or another, even if that item is gone; `from` must be empty then. ret_token: what
        the first page was read at."""
        return _run(self, "neap_keys", (bucket, from_), call)

    def items(self, at, type, from_=b"", **call):
        """The elements of a set (type NEAP_SET; name) or the fields of a map (NEAP_MAP; as in
        neap_keys()). All else as in neap_keys(), `from` being an element or a field's name."""
        return _run(self, "neap_items", (at, type, from_), call)

    def stats(self):
        """The node's own numbers since it was opened, one item each: name and number. Which there
        are may change with the version; what a name means does not."""
        return _run(self, "neap_stats", (), None)

    def watch(self, bucket, **call):
        """Changes of a bucket after resume (of neap_watch_token(), on this or another node); or
        after after, the token of a read or write, which the node first waits for; else all that is
        there, then changes. Of the call: resume, after, timeout_ms, ret_error."""
        return _run(self, "neap_watch", (bucket,), call)

    def backup(self, directory, **call):
        """Makes a backup in `directory`, which must not exist; its parent must. What was written
        and returned before the call is in it, of what is written meanwhile any beginning. Other
        calls go on. It is made under the name DIRECTORY.partial, read once as it was written, and
        gets its name when all of it is on disk: whatever comes back, and whenever the power goes, a
        directory of that name is a whole backup. What a crash left under the other name is to be
        removed by hand. A node in another process makes it itself, with its rights, so `directory`
        begins with '/'. ret_json, which may be NULL, gets backup, files, bytes, node, made (ms
        since 1970). Of the call: timeout_ms (0: as long as it takes), ret_error."""
        return _run(self, "neap_backup", (directory,), call)

    def admin(self, words, **call):
        """What operators ask: words in, one JSON document out (UTF-8, a zero byte after it). An
        unknown verb is INVALID, and the text of that error lists those that there are; neap(1) has
        the same ones as commands, and docs/operations.md says how to read the answers: status the
        node, its buckets, its peers; and its members, as all who are connected tell: alive;
        suspect, not heard for about 2 s, by nobody who could be asked; dead, and did not say
        otherwise for 4 to 24 s; left. Since when (ms_ago), and as which incarnation: it grows each
        time that a node has to say that it lives digest [BUCKET] keys, cells, and a sum over all of
        them stats numbers peers the nodes of the cluster, by the list that each of them holds: id,
        name, zone, addresses, weight; alive, suspect, dead, left or unknown; linked or not, when it
        was last heard, how many events of this node it lacks. Whoever else is here; who was
        forgotten retire NODE (an id or name) logs wait no more for a node that is away. When it
        returns it compares, and its unseen writes are kept forget NODE a node that will never
        return is no member any more: not dialled, not counted in levels, not waited for; revoked,
        and never let in again. REFUSED while it is there isolate on|off no talk with peers revoke
        KIND/ID node/ID, device/ID or client/ID is let in nowhere any more, and its connections end:
        by system data, so each node learns it revoked [list] who is verify [BUCKET [MS]] do peers
        hold the same? While all go on writing explain BUCKET KEY [TYPE|any [FIELD...]] why an
        object is as it is: its cells, the events that made them, by whom; and what each peer has of
        it, lacks, or has otherwise. Waits up to 5 seconds for peers diff BUCKET KEY [TYPE|any
        [FIELD...]] the same, of cells that differ somewhere differing BUCKET PEER [LIMIT [FROM]]
        which cells a peer (its address, or its node's id) has otherwise, who lacks what, and why;
        with what is under way. At most LIMIT of them (256); `next` is the FROM of the others. Waits
        up to 30 s doctor what is wrong, the worst first, and what to do about it history [N] the N
        (50) newest entries of what happened here: repairs, verifications, scrubs, incidents, and
        how they ended; it outlives the process, and is told to no other node big BUCKET [N] the N
        (20) objects that take most siblings BUCKET [N] registers with more than one value bundle
        export FILE TOKEN|- BUCKET... what came after a token, or all, into a new file of the
        node's; FILE begins with '/'; `token` names what is in it bundle apply FILE out of one, as
        from a peer; `token`: what is here then, `theirs`: what its maker had hints [BUCKET] what
        peers lack of what is here: which events, how many bytes, since when, and whether the log
        still has them log why [BUCKET] whom the log is kept for, since when, and what to do tasks
        long work that is under way or paused task pause|resume|cancel ID scrub [BUCKET] all cells
        are read again from now on repair [BUCKET|- [from PEER] [budget N] [resume]] compared with
        all peers, or one (its address, or its node's id), and mended, without the usual waits; at
        most N bytes a second; with resume pauses end settings [NAME] what can be changed while the
        node runs (bulk_max, scrub_max, scrub_s, log_max, retire_after_s, sync_ms): value, at_start,
        least, most set NAME N one of them, until the node is closed: the next opening has what its
        options say subscribe NAME this node holds the bucket, or those that fit the glob; see
        SUBSCRIPTIONS unsubscribe NAME [force] ... and no longer; with force what is leaving goes at
        once, whoever lacks it: `lost` says how many events nobody else is known to have
        subscriptions the list; and what is leaving, with how many events (`unshared`) nobody else
        is known to have ring [RING [slots|buckets|key BUCKET KEY]] rings; one, with its nodes and
        layouts; who owns each slot, which buckets it has, or the slot of a key plan create RING N
        SLOTS a new ring is staged; N owners of each slot plan join RING NODE [ZONE|- [WEIGHT|-]]
        plan leave RING NODE plan replace RING NODE BY [ZONE|- [WEIGHT|-]] plan weight RING NODE
        WEIGHT changes of it are staged, at any node plan show RING what they come to: moves, loads,
        warnings plan commit RING VERSION `id` or `version` of that: data moves from now on plan
        clear RING [NODE] what is staged is taken back plan skip RING NODE a move does not wait for
        that node, which is dead reload the certificates are read again from the cluster directory,
        for links from now on; those that there are go on Of the call: ret_error (timeout_ms is for
        later)."""
        return _run(self, "neap_admin", (words,), call)

    def subscribe(self, name, **call):
        """From now on this node holds the bucket of that name, or those that fit the glob, or no
        longer: see SUBSCRIPTIONS. It is on disk when this returns; what comes of it, fetching or
        giving away, goes on in the background, through restarts, too: neap_admin() "subscriptions"
        shows it. Of the call: ret_error."""
        return _run(self, "neap_subscribe", (name,), call)

    def unsubscribe(self, name, **call):
        return _run(self, "neap_unsubscribe", (name,), call)


class _BatchCalls:
    def commit(self, **call):
        """Does all that was queued. Then, and when it may have been done (UNCERTAIN, IO), the batch
        is empty and can be used again; when nothing happened it is as it was. An empty batch is
        fine. On a ring a key lies in a slot, and a slot has N owners: a batch is done by a node
        that owns all slots of its keys, and never taken apart. Keys of one name in several buckets
        of a ring need not be in one slot. REFUSED: no node owns them all; what has to change as one
        has to be one object."""
        return _run(self, "neap_batch_commit", (), call)


class _IterCalls:
    def token(self):
        """Where the iterator is, as bytes for resume: after the last item that neap_next() gave.
        For iterators of neap_keys() and neap_items()."""
        return _run(self, "neap_iter_token", (), None)


class _WatchCalls:
    def token(self):
        """Where the watch is, for resume: all that was told up to the page that is under way. So
        changes that were told already come again when one goes on there, up to some hundreds; none
        after END."""
        return _run(self, "neap_watch_token", (), None)


# ---- end of what is from neap.h ----


@functools.lru_cache(maxsize=None)
def _library():
    """Loaded when it is first needed."""
    name = os.environ.get("NEAP_LIBRARY") or ctypes.util.find_library("neap")
    if not name:
        raise OSError("libneap is not found: install it, or set NEAP_LIBRARY to its path")
    library = ctypes.CDLL(name)
    for function, (returned, parameters) in FUNCTIONS.items():
        made = getattr(library, function)
        made.restype = returned
        made.argtypes = parameters
    return library


def _known(kind, number):
    """A member of an enum; a number that only a newer library knows stays one."""
    try:
        return kind(number)
    except ValueError:
        return number


class Error(Exception):
    """What went wrong: code, a neap.Code; text, a line for people."""

    def __init__(self, code, text=""):
        self.code = _known(Code, code)
        self.text = text or strerror(code)
        super().__init__("%s: %s" % (getattr(self.code, "name", code), self.text))

    @property
    def maybe(self):
        """The write may have happened, or may yet."""
        return self.code in MAYBE


def _check(code, error):
    if code:
        raise Error(code, error.text.decode("utf-8", "replace") if error.code == code else "")


# ---- what goes in ----


def _plain(value):
    return value.encode() if isinstance(value, str) else bytes(value)


def _text(value):
    """For a `const char *`. Paths may be such, too."""
    encoded = os.fsencode(value)
    if b"\0" in encoded:
        raise ValueError("a text with a zero byte in it: %r" % (value,))
    return encoded


def _data(value, keep):
    """A struct neap_bytes; what it points to is in `keep`."""
    plain = _plain(value)
    keep.append(plain)
    return neap_bytes(ctypes.cast(c_char_p(plain), c_void_p).value, len(plain))


class Place:
    """Where something is: a bucket, a key, and the fields from there down."""

    def __init__(self, bucket, key, *fields):
        self._keep = []
        self._bucket = _text(bucket)
        self._fields = (neap_bytes * len(fields))(*[_data(field, self._keep) for field in fields])
        self._place = neap_place(self._bucket, _data(key, self._keep), self._fields, len(fields))
        self.parts = (bucket, key) + fields

    def __repr__(self):
        return "neap.Place%r" % (self.parts,)

    def field(self, *fields):
        """A field below it."""
        return Place(*self.parts, *fields)


def _place(at):
    return at if isinstance(at, Place) else Place(*at)


# ---- what comes out ----


def _bytes_of(data):
    """The bytes of a struct neap_bytes or neap_buffer."""
    return ctypes.string_at(data.data, data.size) if data.size else b""


class Token:
    """Takes the token of a call (ret_token=); goes where tokens are taken (after=, seen=, wait())."""

    def __init__(self):
        self._buffer = neap_buffer()

    def __bytes__(self):
        return _bytes_of(self._buffer)

    def __len__(self):
        return self._buffer.size

    def __del__(self):
        if self._buffer.data:
            _library().neap_buffer_free(byref(self._buffer))


Item = collections.namedtuple("Item", [name for name, _ in neap_item._fields_])
Item.__doc__ = """What an iterator gives; which fields mean something, each method says."""


def _item_of(item):
    made = []
    for name, kind in neap_item._fields_:
        value = getattr(item, name)
        if name == "type":
            value = _known(Type, value)
        made.append(_bytes_of(value) if kind is neap_bytes else value)
    return Item(*made)


def _item_from(item, keep):
    """The other way; a dict or any object with the fields of an Item will do."""
    made = neap_item()
    for name, kind in neap_item._fields_:
        value = item.get(name) if isinstance(item, dict) else getattr(item, name, None)
        if value is not None:
            setattr(made, name, _data(value, keep) if kind is neap_bytes else value)
    return made


# ---- calls ----


def _call_of(keywords, error, keep):
    call = neap_call()
    call.size = ctypes.sizeof(neap_call)
    call.ret_error = ctypes.pointer(error)
    kinds = dict(neap_call._fields_)
    for name, value in keywords.items():
        if name in ("size", "ret_error") or name not in kinds:
            raise TypeError("struct neap_call has no field %r to be set" % name)
        if value is None:
            continue
        if kinds[name] is neap_bytes:
            value = _data(value, keep)
        elif kinds[name] is c_void_p:
            value = value._handle
        elif kinds[name] is POINTER(neap_buffer):
            keep.append(value)
            value = ctypes.pointer(value._buffer)
        setattr(call, name, value)
    return call


class _Run:
    """One call of a function, from the arguments of Python to results."""

    def __init__(self, owner, name, given, keywords):
        self.owner, self.given, self.keywords = owner, iter(given), keywords
        self.error = neap_error()
        self.keep, self.buffers, self.arguments, self.results = [], [], [], []
        for part, kind in zip(PARTS[name], FUNCTIONS[name][1]):
            self.arguments.append(self._argument(part, kind))

    def _argument(self, part, kind):
        if part in ("self", "call", "error"):
            return self._own(part)
        if part in _RESULTS or part.startswith("out "):
            return self._result(part)
        if part == "argv":
            return self.words
        value = next(self.given)
        if part == "words":
            words = [_text(word) for word in value]
            self.words = (c_char_p * len(words))(*words)
            return len(words)
        if part == "place":
            value = _place(value)
            self.keep.append(value)
            return byref(value._place)
        if part == "data":
            return _data(value, self.keep)
        if part == "item":
            return byref(_item_from(value, self.keep))
        if part == "text":
            return _text(value)
        if part == "double":
            return float(value)
        value = int(value)
        if kind(value).value != value:
            raise OverflowError("%d does not fit %d bits" % (value, 8 * ctypes.sizeof(kind)))
        return value

    def _own(self, part):
        if part == "self":
            return self.owner._handle
        if part == "error":
            return byref(self.error)
        self.call = _call_of(self.keywords, self.error, self.keep)
        return byref(self.call)

    def _result(self, part):
        if part == "bytes":
            value = neap_buffer()
            self.buffers.append(value)
        else:
            value = {"bool": c_int, "iter": c_void_p, "batch": c_void_p, "watch": c_void_p}.get(part) or globals()[part[4:]]
            value = value()
            if hasattr(value, "size"):
                value.size = ctypes.sizeof(value)
        self.results.append((part, value))
        return byref(value)

    def _given_back(self, part, value):
        if part in _RESULTS:
            return _RESULTS[part](self.owner, value)
        return value if isinstance(value, Structure) else value.value

    def run(self, name):
        library = _library()
        try:
            _check(getattr(library, name)(*self.arguments), self.error)
            made = [self._given_back(part, value) for part, value in self.results]
        finally:
            for buffer in self.buffers:
                library.neap_buffer_free(byref(buffer))
        return made[0] if len(made) == 1 else tuple(made) if made else None


def _run(owner, name, given, keywords):
    return _Run(owner, name, given, keywords or {}).run(name)


def _ask(name, given, kind):
    """A function without a handle, which gives what it has to say."""
    words = [_text(word) if taken is c_char_p else int(word)
             for word, taken in zip(given, FUNCTIONS[name][1])]
    said = getattr(_library(), name)(*words)
    if isinstance(said, bytes):
        return said.decode()
    return _known(kind, said) if kind else said


# ---- handles ----


class _Part:
    """A batch, an iterator or a watch of a handle, which frees it at the latest when that is closed."""

    def __init__(self, neap, value):
        self._neap = neap
        self._handle = value.value
        neap._parts.add(self)

    def free(self):
        """Not to be used any more. May be called twice."""
        handle, self._handle = self._handle, None
        if handle:
            getattr(_library(), self._ends)(handle)

    def __del__(self):
        self.free()


class Iter(_IterCalls, _Part):
    """Gives neap.Item; for a `for`, or as a context manager, which frees it early."""

    _ends = "neap_iter_free"

    def __iter__(self):
        return self

    def __next__(self):
        return self.next()

    def next(self, timeout_ms=0):
        """The next item, of which a page may have to be fetched; StopIteration: no more."""
        item = neap_item()
        if not self._handle:
            raise StopIteration
        code = _library().neap_next(self._handle, byref(item), timeout_ms)
        if code == Code.END:
            raise StopIteration
        _check(code, neap_error())
        return _item_of(item)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.free()


Change = collections.namedtuple("Change", ["kind", "key", "fields", "item"])
Change.__doc__ = """What a watch gives: kind, a neap.ChangeKind; key and fields of the place; item."""


class Watch(_WatchCalls, _Part):
    """Gives neap.Change, one after the other; a context manager, which frees it early."""

    _ends = "neap_watch_free"

    def next(self, timeout_ms=0):
        """The next change; None: nothing has changed by then, so call it again."""
        change = neap_change(size=ctypes.sizeof(neap_change))
        code = _library().neap_watch_next(self._handle, byref(change), timeout_ms)
        if code == Code.END:
            return None
        _check(code, neap_error())
        fields = tuple(_bytes_of(change.at.fields[i]) for i in range(change.at.fields_count))
        return Change(_known(ChangeKind, change.kind), _bytes_of(change.at.key), fields,
                      _item_of(change.item))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.free()


class Batch(_BatchCalls, _Part):
    """Writes that wait (batch=): done by commit(), or at the end of a `with` that ended well."""

    _ends = "neap_batch_free"
    _call = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.commit(**self._call)
        finally:
            self.free()


class Neap(_NeapCalls):
    """A handle: of open() or connect(). A context manager, which closes it."""

    def __init__(self, handle):
        self._handle = handle.value
        self._parts = weakref.WeakSet()

    def batch(self, **call):
        """A batch. At the end of a `with` it is committed, with these keywords; else by commit()."""
        handle = c_void_p()
        _check(_library().neap_batch_new(self._handle, byref(handle)), neap_error())
        batch = Batch(self, handle)
        batch._call = call
        return batch

    def close(self):
        """Ends it, and what there still is of batches and iterators. May be called twice."""
        for part in list(self._parts):
            part.free()
        handle, self._handle = self._handle, None
        if handle:
            _library().neap_close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


_RESULTS = {
    "bytes": lambda owner, value: _bytes_of(value),
    "bool": lambda owner, value: bool(value.value),
    "iter": lambda owner, value: Iter(owner, value),
    "watch": lambda owner, value: Watch(owner, value),
}


def open(path=None, **options):
    """A node in this process. Options are the fields of struct neap_options: path, cluster, listen,
    peers, socket as str; memory_max, flags, sync_ms...: numbers. Without a path: in memory."""
    made, handle, error = neap_options(), c_void_p(), neap_error()
    library = _library()
    library.neap_options_init(byref(made))
    kinds = dict(neap_options._fields_)
    options["path"] = path
    for name, value in options.items():
        if name == "size" or name not in kinds:
            raise TypeError("struct neap_options has no field %r to be set" % name)
        if value is not None:
            setattr(made, name, _text(value) if kinds[name] is c_char_p else value)
    _check(library.neap_open(byref(made), byref(handle), byref(error)), error)
    return Neap(handle)


def connect(address):
    """A client of a node in another process: the path of its socket."""
    handle, error = c_void_p(), neap_error()
    _check(_library().neap_connect(_text(address), byref(handle), byref(error)), error)
    return Neap(handle)


def _of_backup(name, *directories):
    report, error = neap_buffer(), neap_error()
    try:
        words = [_text(directory) for directory in directories]
        _check(getattr(_library(), name)(*words, byref(report), byref(error)), error)
        return _bytes_of(report)
    finally:
        _library().neap_buffer_free(byref(report))


def backup_verify(directory):
    """Reads every file of a backup again; its report, as JSON."""
    return _of_backup("neap_backup_verify", directory)


def restore(backup, directory):
    """Verifies a backup and copies it to a directory; its report, as JSON."""
    return _of_backup("neap_restore", backup, directory)


def strerror(code):
    """The text of a code."""
    return _library().neap_strerror(code).decode()


def version():
    """Of the library, "1.2.3"."""
    return _library().neap_version().decode()
